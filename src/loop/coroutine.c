/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See coroutine.h.  The switch is by hand: swapcontext(3) makes two system calls for the mask of
 * signals, which is everybody's here. */
#include "loop/coroutine.h"

#include <stdint.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define WITH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif

#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef WITH_TSAN
#include <sanitizer/tsan_interface.h>
#endif

enum { GUARD = 4096 };

struct KilnCoroutine {
    void *stack_pointer; /* of the side that does not run */
    KilnCoroutinePool *pool;
    KilnCoroutine *next; /* in the pool */
    KilnCoroutineFunc func;
    gpointer data;
    gboolean ended;
    char *mapping; /* (owned): guard page, stack */
#ifdef WITH_ASAN
    void *fake_stack;
    const void *caller_stack;
    size_t caller_size;
#endif
#ifdef WITH_TSAN
    void *fiber; /* (owned) */
    void *caller_fiber;
#endif
};

struct KilnCoroutinePool {
    KilnCoroutine *free; /* (nullable) */
    unsigned n_free;
    unsigned keep;
    unsigned n_inside; /* that have not ended */
};

/*
 * Saves what a called function must keep (System V ABI, AMD64 §3.2.1) on this stack, stores its
 * pointer in *@save (rdi) and goes on with the stack @load (rsi).
 */
void kiln_coroutine_switch(void **save, void *load);
void kiln_coroutine_begin(void);
G_GNUC_NORETURN void kiln_coroutine_main(KilnCoroutine *coroutine);

__asm__(".text\n"
        ".globl kiln_coroutine_switch\n"
        ".hidden kiln_coroutine_switch\n"
        ".type kiln_coroutine_switch, @function\n"
        "kiln_coroutine_switch:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    subq $8, %rsp\n"
        "    stmxcsr (%rsp)\n"
        "    fnstcw 4(%rsp)\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    ldmxcsr (%rsp)\n"
        "    fldcw 4(%rsp)\n"
        "    addq $8, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size kiln_coroutine_switch, . - kiln_coroutine_switch\n"
        ".globl kiln_coroutine_begin\n"
        ".hidden kiln_coroutine_begin\n"
        ".type kiln_coroutine_begin, @function\n"
        "kiln_coroutine_begin:\n"
        "    .cfi_startproc\n"
        "    .cfi_undefined rip\n" /* the end of a back trace */
        "    movq %rbx, %rdi\n"
        "    call kiln_coroutine_main\n"
        "    ud2\n"
        "    .cfi_endproc\n"
        ".size kiln_coroutine_begin, . - kiln_coroutine_begin\n");

/* The coroutine's side of a switch: it has just been entered. */
static void
arrived_inside(KilnCoroutine *coroutine)
{
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(coroutine->fake_stack, &coroutine->caller_stack,
                                    &coroutine->caller_size);
#endif
}

static void
leave(KilnCoroutine *coroutine)
{
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(coroutine->ended ? NULL : &coroutine->fake_stack,
                                   coroutine->caller_stack, coroutine->caller_size);
#endif
#ifdef WITH_TSAN
    __tsan_switch_to_fiber(coroutine->caller_fiber, 0);
#endif
    kiln_coroutine_switch(&coroutine->stack_pointer, coroutine->stack_pointer);
    arrived_inside(coroutine);
}

__attribute__((visibility("hidden"), used)) void
kiln_coroutine_main(KilnCoroutine *coroutine)
{
    arrived_inside(coroutine);
    coroutine->func(coroutine->data);
    coroutine->ended = TRUE;
    leave(coroutine);
    g_assert_not_reached();
}

static void
coroutine_free(KilnCoroutine *coroutine)
{
#ifdef WITH_TSAN
    __tsan_destroy_fiber(coroutine->fiber);
#endif
    munmap(coroutine->mapping, GUARD + KILN_COROUTINE_STACK);
    g_free(coroutine);
}

static KilnCoroutine *
make(KilnCoroutinePool *pool)
{
    KilnCoroutine *coroutine = g_new0(KilnCoroutine, 1);

    coroutine->pool = pool;
    coroutine->mapping = mmap(NULL, GUARD + KILN_COROUTINE_STACK, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    g_assert(coroutine->mapping != MAP_FAILED); /* as GLib when there is no memory */
    (void)mprotect(coroutine->mapping, GUARD, PROT_NONE);
#ifdef WITH_TSAN
    coroutine->fiber = __tsan_create_fiber(0);
#endif
    return coroutine;
}

/* What kiln_coroutine_switch() takes off the stack at the first entry. */
static void
prepare(KilnCoroutine *coroutine)
{
    uint64_t *top = (uint64_t *)(coroutine->mapping + GUARD + KILN_COROUTINE_STACK);
    uint32_t mxcsr;
    uint16_t control;

    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(control));
    *--top = 0;
    *--top = 0; /* aligned to 16 when it is called */
    *--top = (uintptr_t)kiln_coroutine_begin;
    *--top = 0;                    /* rbp */
    *--top = (uintptr_t)coroutine; /* rbx */
    for (unsigned i = 0; i < 4; i++)
        *--top = 0; /* r12 to r15 */
    *--top = mxcsr | (uint64_t)control << 32;
    coroutine->stack_pointer = top;
}

KilnCoroutinePool *
kiln_coroutine_pool_new(unsigned keep)
{
    KilnCoroutinePool *pool = g_new0(KilnCoroutinePool, 1);

    pool->keep = keep;
    return pool;
}

void
kiln_coroutine_pool_free(KilnCoroutinePool *pool)
{
    if (pool == NULL)
        return;
    g_assert(pool->n_inside == 0);
    while (pool->free != NULL) {
        KilnCoroutine *coroutine = pool->free;

        pool->free = coroutine->next;
        coroutine_free(coroutine);
    }
    g_free(pool);
}

KilnCoroutine *
kiln_coroutine_new(KilnCoroutinePool *pool, KilnCoroutineFunc func, gpointer data)
{
    KilnCoroutine *coroutine = pool->free;

    if (coroutine != NULL) {
        pool->free = coroutine->next;
        pool->n_free--;
    } else {
        coroutine = make(pool);
    }
    pool->n_inside++;
    coroutine->func = func;
    coroutine->data = data;
    coroutine->ended = FALSE;
    prepare(coroutine);
    return coroutine;
}

static void
give_back(KilnCoroutine *coroutine)
{
    KilnCoroutinePool *pool = coroutine->pool;

    pool->n_inside--;
    if (pool->n_free == pool->keep) {
        coroutine_free(coroutine);
        return;
    }
    coroutine->next = pool->free;
    pool->free = coroutine;
    pool->n_free++;
}

void
kiln_coroutine_enter(KilnCoroutine *coroutine)
{
#ifdef WITH_ASAN
    void *fake_stack = NULL;

    __sanitizer_start_switch_fiber(&fake_stack, coroutine->mapping + GUARD, KILN_COROUTINE_STACK);
#endif
#ifdef WITH_TSAN
    coroutine->caller_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(coroutine->fiber, 0);
#endif
    kiln_coroutine_switch(&coroutine->stack_pointer, coroutine->stack_pointer);
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
#endif
    if (coroutine->ended)
        give_back(coroutine);
}

void
kiln_coroutine_yield(KilnCoroutine *coroutine)
{
    leave(coroutine);
}
