/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* size -> [memfd] -> mapping aligned like the guest's -> madvise -> [lock] -> [populate] */
#include "memory/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/error.h"
#include "base/intmath.h"

#define MIB       G_GUINT64_CONSTANT(0x100000)
#define THP_SIZE  (2 * MIB)
#define HUGE_PATH "/sys/kernel/mm/hugepages/hugepages-%" G_GUINT64_FORMAT "kB/"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14, linux/mman.h; the C library may be older */
#endif

/* The kernel's choice is the word in brackets of a line such as "always advise [never] deny". */
static gboolean
memfd_has_thp(void)
{
    char text[128] = "";
    int fd = kiln_open("/sys/kernel/mm/transparent_hugepage/shmem_enabled", O_RDONLY, 0, NULL);
    ssize_t n;

    if (fd < 0)
        return FALSE;
    n = kiln_read_full(fd, text, sizeof text - 1, -1);
    kiln_fd_clear(&fd);
    return n > 0 && strstr(text, "[never]") == NULL && strstr(text, "[deny]") == NULL;
}

/* Sets the error for @wanted bytes of huge pages that cannot be had. */
static gboolean
error_hugepages(uint64_t wanted, uint64_t page, int errnum, GError **error)
{
    g_autofree char *pool = g_strdup_printf(HUGE_PATH, page / 1024);
    g_autofree char *free_path = g_strconcat(pool, "free_hugepages", NULL);
    g_autofree char *text = NULL;

    if (!g_file_get_contents(free_path, &text, NULL, NULL))
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "guest memory: the host has no huge pages of %" G_GUINT64_FORMAT
                              " MiB ('%s' does not exist)",
                              page / MIB, pool);
    if (errnum != ENOMEM)
        return kiln_error_set_errno(
            error, errnum, "guest memory: cannot use huge pages of %" G_GUINT64_FORMAT " MiB",
            page / MIB);
    return kiln_error_set(error, KILN_ERROR_FAILED,
                          "guest memory: %" G_GUINT64_FORMAT " huge pages of %" G_GUINT64_FORMAT
                          " MiB are needed and %s are free: raise '%snr_hugepages'%s",
                          wanted / page, page / MIB, g_strstrip(text), pool,
                          page == THP_SIZE ? " (sysctl vm.nr_hugepages)" : "");
}

/* #syscalls memfd_create ftruncate sysinfo */
static KilnFd
open_memfd(uint64_t size, uint64_t hugepage_size, gboolean sparse, GError **error)
{
    guint flags = MFD_CLOEXEC;
    struct sysinfo host;
    g_auto(KilnFd) fd = -1;

    if (hugepage_size > 0) {
        flags |= MFD_HUGETLB | (guint)__builtin_ctzll(hugepage_size) << MFD_HUGE_SHIFT;
    } else if (!sparse && sysinfo(&host) == 0 &&
               size / host.mem_unit > (uint64_t)host.totalram + host.totalswap) {
        /* The kernel accounts a memfd page by page, and would kill us at the one too many. */
        kiln_error_set_errno(error, ENOMEM,
                             "guest memory: %" G_GUINT64_FORMAT
                             " MiB are more than the host's memory and swap",
                             size / MIB);
        return -1;
    }
    fd = memfd_create("kiln-ram", flags);
    if (fd < 0) {
        if (hugepage_size > 0)
            error_hugepages(size, hugepage_size, errno, error);
        else
            kiln_error_set_errno(error, errno, "guest memory: cannot create a memfd");
        return -1;
    }
    if (ftruncate(fd, (off_t)size) < 0) {
        kiln_error_set_errno(error, errno,
                             "guest memory: cannot make a memfd of %" G_GUINT64_FORMAT " MiB",
                             size / MIB);
        return -1;
    }
    return kiln_fd_steal(&fd);
}

/*
 * Maps @fd (or anonymous memory) with @flags at an address that is @gpa modulo 2 MiB: a stretch
 * that is too long by that much is reserved, and what sticks out is given back.
 */
static void *
map_aligned(uint64_t size, KilnGpa gpa, int fd, int flags)
{
    size_t reserved = size + THP_SIZE;
    char *start =
        mmap(NULL, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    char *host;
    void *mapped;
    size_t head;

    if (start == MAP_FAILED)
        return MAP_FAILED;
    head = (gpa - (uintptr_t)start) & (THP_SIZE - 1);
    host = start + head;
    mapped = mmap(host, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0);
    if (mapped == MAP_FAILED) {
        int errnum = errno;

        munmap(start, reserved);
        errno = errnum;
        return MAP_FAILED;
    }
    if (head > 0)
        munmap(start, head);
    if (reserved - head > size)
        munmap(host + size, reserved - head - size);
    return mapped;
}

/* MADV_POPULATE_WRITE reports what a touch would answer with SIGBUS; older kernels lack it. */
static gboolean
populate(KilnBacking *backing, GError **error)
{
    volatile char *byte = backing->host;

    while (madvise(backing->host, backing->size, MADV_POPULATE_WRITE) < 0) {
        if (errno == EINTR || errno == EAGAIN)
            continue;
        if (errno != EINVAL)
            return kiln_error_set_errno(
                error, errno, "guest memory: cannot allocate %" G_GUINT64_FORMAT " MiB at once",
                backing->size / MIB);
        for (uint64_t at = 0; at < backing->size; at += 4096)
            byte[at] = 0;
        break;
    }
    return TRUE;
}

/* #syscalls mlock mlock2: a page is locked when it is first used, unless all are there already. */
static gboolean
lock(KilnBacking *backing, gboolean preallocated, GError **error)
{
    struct rlimit limit = { 0 };
    int failed = preallocated ? mlock(backing->host, backing->size)
                              : mlock2(backing->host, backing->size, MLOCK_ONFAULT);
    int errnum = errno;

    if (failed == 0)
        return TRUE;
    getrlimit(RLIMIT_MEMLOCK, &limit);
    return kiln_error_set_errno(error, errnum,
                                "guest memory: cannot lock %" G_GUINT64_FORMAT
                                " MiB (the limit RLIMIT_MEMLOCK is %" G_GUINT64_FORMAT " MiB)",
                                backing->size / MIB, (uint64_t)limit.rlim_cur / MIB);
}

/* The first MiB is the PC's low memory: boot data, tables, the trampolines of other CPUs, a few
 * pages in all, which are not worth a huge page that must be cleared before the first instruction.
 */
enum { SMALL_PAGES_BYTES = 2 << 20 };

/* None of these is a promise: a kernel without KSM or THP answers EINVAL, and the guest runs. */
static void
advise(KilnBacking *backing, KilnGpa gpa, uint64_t hugepage_size, const KilnMemoryOptions *options)
{
    if (hugepage_size == 0)
        (void)madvise(backing->host, backing->size,
                      options->no_thp ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
    if (hugepage_size == 0 && gpa == 0)
        (void)madvise(backing->host, MIN(backing->size, SMALL_PAGES_BYTES), MADV_NOHUGEPAGE);
    if (options->merge)
        (void)madvise(backing->host, backing->size, MADV_MERGEABLE);
    if (options->no_dump)
        (void)madvise(backing->host, backing->size, MADV_DONTDUMP);
    (void)madvise(backing->host, backing->size, MADV_DONTFORK);
}

static gboolean
is_memfd(const KilnMemoryOptions *options)
{
    return options->backing == KILN_MEMORY_MEMFD ||
           (options->backing == KILN_MEMORY_AUTO && !options->no_thp && memfd_has_thp());
}

gboolean
kiln_backing_init(KilnBacking *backing, uint64_t size, KilnGpa gpa, uint64_t hugepage_size,
                  const KilnMemoryOptions *options, GError **error)
{
    gboolean memfd = hugepage_size > 0 || is_memfd(options);
    void *host;

    *backing = (KilnBacking){ .size = size, .fd = -1 };
    if (memfd) {
        backing->fd = open_memfd(size, hugepage_size, FALSE, error);
        if (backing->fd < 0)
            return FALSE;
    }
    /* hugetlbfs aligns to its own pages, and takes them from the pool here: no later surprise. */
    host = hugepage_size > 0 ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, backing->fd, 0)
                             : map_aligned(size, gpa, backing->fd,
                                           memfd ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS);
    if (host == MAP_FAILED && hugepage_size > 0)
        return error_hugepages(size, hugepage_size, errno, error);
    if (host == MAP_FAILED)
        return kiln_error_set_errno(
            error, errno, "guest memory: cannot map %" G_GUINT64_FORMAT " MiB", size / MIB);
    backing->host = host;
    advise(backing, gpa, hugepage_size, options);
    if (options->preallocate && !populate(backing, error))
        return FALSE;
    return !options->locked || lock(backing, options->preallocate, error);
}

/* Takes what map_aligned() gave. */
static gboolean
take_mapping(KilnBacking *backing, void *host, KilnGpa gpa, const KilnMemoryOptions *options,
             GError **error)
{
    if (host == MAP_FAILED)
        return kiln_error_set_errno(
            error, errno, "guest memory: cannot map a module of %" G_GUINT64_FORMAT " MiB",
            backing->size / MIB);
    backing->host = host;
    advise(backing, gpa, 0, options);
    return TRUE;
}

gboolean
kiln_backing_init_sparse(KilnBacking *backing, uint64_t size, KilnGpa gpa,
                         const KilnMemoryOptions *options, GError **error)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;

    *backing = (KilnBacking){ .size = size, .fd = -1 };
    if (is_memfd(options)) {
        backing->fd = open_memfd(size, 0, TRUE, error);
        if (backing->fd < 0)
            return FALSE;
        flags = MAP_SHARED;
    }
    return take_mapping(backing, map_aligned(size, gpa, backing->fd, flags | MAP_NORESERVE), gpa,
                        options, error);
}

gboolean
kiln_backing_init_file(KilnBacking *backing, const KilnMemoryModule *module, KilnGpa gpa,
                       const KilnMemoryOptions *options, GError **error)
{
    void *host = map_aligned(module->size, gpa, module->fd,
                             module->private ? MAP_PRIVATE | MAP_NORESERVE : MAP_SHARED);

    *backing = (KilnBacking){ .size = module->size, .fd = -1 };
    if (!take_mapping(backing, host, gpa, options, error))
        return FALSE;
    if (module->private)
        return TRUE;
    backing->fd = fcntl(module->fd, F_DUPFD_CLOEXEC, 0);
    return backing->fd >= 0 ||
           kiln_error_set_errno(error, errno, "guest memory: cannot keep a module's file open");
}

void
kiln_backing_clear(KilnBacking *backing)
{
    if (backing->host != NULL)
        munmap(backing->host, backing->size);
    backing->host = NULL;
    kiln_fd_clear(&backing->fd);
}

gboolean
kiln_backing_zero(KilnBacking *backing, const KilnMemoryOptions *options, GError **error)
{
    int failed;

    if (options->locked) { /* MADV_DONTNEED leaves locked pages alone */
        memset(backing->host, 0, backing->size);
        return TRUE;
    }
    if (backing->fd >= 0)
        failed = fallocate(backing->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                           (off_t)backing->size);
    else
        failed = madvise(backing->host, backing->size, MADV_DONTNEED);
    if (failed < 0)
        return kiln_error_set_errno(error, errno, "guest memory: cannot clear it");
    return !options->preallocate || populate(backing, error);
}
