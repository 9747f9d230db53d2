/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See throttle.h.  One that waits is always the first of its direction's ring of members, and has
 * its timer set; the others come when the turn is theirs. */
#include "block/throttle.h"

#include "base/intmath.h"
#include "base/lock.h"
#include "block/bucket.h"
#include "loop/timer.h"

enum { N_DIRECTIONS = 2 }; /* reads, writes */

typedef struct Member Member;

/* Of a request that waits, in its scratch. */
typedef struct Waiting {
    KilnBlockRequest *request;
    struct Waiting *next;
} Waiting;

/* What of a member waits, in one direction; under the group's lock. */
typedef struct {
    Member *member;
    KilnTimer *timer; /* (owned) */
    Waiting *first;   /* (nullable) */
    Waiting **last;
    Member *next; /* in the ring; NULL is its end */
} Side;

struct Member {
    KilnBlock base;
    KilnThrottleGroup *group; /* (owned) */
    Side sides[N_DIRECTIONS];
};

struct KilnThrottleGroup {
    gint references; /* (atomic) */
    gint limited;    /* (atomic): there is a limit, or somebody who waits */
    KilnMutex mutex; /* of all below, and the members' sides */
    KilnBuckets buckets;
    struct {
        Member *first; /* (nullable): whose turn it is */
        Member *last;
    } rings[N_DIRECTIONS];
};

static gboolean
has_limit(const KilnThrottleLimits *limits)
{
    for (unsigned i = 0; i < KILN_THROTTLE_N_BUCKETS; i++)
        if (limits->buckets[i].average != 0)
            return TRUE;
    return FALSE;
}

KilnThrottleGroup *
kiln_throttle_group_new(const KilnThrottleLimits *limits)
{
    KilnThrottleGroup *group = g_new0(KilnThrottleGroup, 1);

    group->references = 1;
    kiln_mutex_init(&group->mutex);
    group->buckets.leaked_ns = kiln_clock_ns();
    kiln_throttle_group_set(group, limits);
    return group;
}

KilnThrottleGroup *
kiln_throttle_group_ref(KilnThrottleGroup *group)
{
    g_atomic_int_inc(&group->references);
    return group;
}

void
kiln_throttle_group_unref(KilnThrottleGroup *group)
{
    if (group == NULL || !g_atomic_int_dec_and_test(&group->references))
        return;
    kiln_mutex_clear(&group->mutex);
    g_free(group);
}

void
kiln_throttle_group_set(KilnThrottleGroup *group, const KilnThrottleLimits *limits)
{
    uint64_t now = kiln_clock_ns();
    KILN_LOCK_SCOPE(&group->mutex);

    kiln_buckets_leak(&group->buckets, now);
    group->buckets = (KilnBuckets){ .limits = *limits, .leaked_ns = now };
    for (unsigned i = 0; i < N_DIRECTIONS; i++)
        if (group->rings[i].first != NULL)
            kiln_timer_arm(group->rings[i].first->sides[i].timer, now);
    /* While somebody waits nobody overtakes him; his turn looks again. */
    g_atomic_int_set(&group->limited, has_limit(limits) || group->rings[0].first != NULL ||
                                          group->rings[1].first != NULL);
}

void
kiln_throttle_group_get(KilnThrottleGroup *group, KilnThrottleLimits *limits)
{
    KILN_LOCK_SCOPE(&group->mutex);

    *limits = group->buckets.limits;
}

/* Mutex held. */
static void
join_ring(KilnThrottleGroup *group, unsigned direction, Member *member)
{
    member->sides[direction].next = NULL;
    if (group->rings[direction].first == NULL)
        group->rings[direction].first = member;
    else
        group->rings[direction].last->sides[direction].next = member;
    group->rings[direction].last = member;
}

/* Mutex held: takes the first member out of the ring, or to its end if it has more. */
static void
end_turn(KilnThrottleGroup *group, unsigned direction, Member *member)
{
    group->rings[direction].first = member->sides[direction].next;
    if (member->sides[direction].first != NULL)
        join_ring(group, direction, member);
    else if (group->rings[0].first == NULL && group->rings[1].first == NULL)
        g_atomic_int_set(&group->limited, has_limit(&group->buckets.limits));
}

/*
 * Takes one of the member's requests that may go now, or sets the timer of whoever is to look next.
 */
static KilnBlockRequest *
take_turn(KilnThrottleGroup *group, unsigned direction, Member *member)
{
    uint64_t now = kiln_clock_ns(), wait;
    Side *side = &member->sides[direction];
    Member *first;
    Waiting *waiting;
    KILN_LOCK_SCOPE(&group->mutex);

    first = group->rings[direction].first;
    if (first == NULL)
        return NULL;
    kiln_buckets_leak(&group->buckets, now);
    wait = kiln_buckets_wait(&group->buckets, direction == 1);
    if (wait > 0 || first != member) {
        kiln_timer_arm(first->sides[direction].timer, now + wait);
        return NULL;
    }
    waiting = side->first;
    side->first = waiting->next;
    if (side->first == NULL)
        side->last = &side->first;
    kiln_buckets_add(&group->buckets, direction == 1, waiting->request->length);
    end_turn(group, direction, member);
    return waiting->request;
}

static void
turn(gpointer data)
{
    Side *side = data;
    Member *member = side->member;
    unsigned direction = (unsigned)(side - member->sides);
    KilnBlockRequest *request;

    while ((request = take_turn(member->group, direction, member)) != NULL)
        member->base.child->ops->submit(member->base.child, request);
}

/* Whether the request may go at once; else it is in the member's queue. */
static gboolean
may_go(Member *member, unsigned direction, KilnBlockRequest *request)
{
    KilnThrottleGroup *group = member->group;
    Side *side = &member->sides[direction];
    Waiting *waiting = request->scratch;
    uint64_t now = kiln_clock_ns(), wait;
    gboolean was_empty;
    KILN_LOCK_SCOPE(&group->mutex);

    kiln_buckets_leak(&group->buckets, now);
    wait = kiln_buckets_wait(&group->buckets, direction == 1);
    if (wait == 0 && group->rings[direction].first == NULL) {
        kiln_buckets_add(&group->buckets, direction == 1, request->length);
        return TRUE;
    }
    *waiting = (Waiting){ .request = request };
    was_empty = side->first == NULL;
    *side->last = waiting;
    side->last = &waiting->next;
    if (was_empty) {
        gboolean alone = group->rings[direction].first == NULL;

        join_ring(group, direction, member);
        if (alone)
            kiln_timer_arm(side->timer, now + wait);
    }
    return FALSE;
}

static void
throttle_submit(KilnBlock *base, KilnBlockRequest *request)
{
    Member *member = (Member *)base;
    unsigned direction = request->op == KILN_BLOCK_READ ? 0 : 1;

    if (request->op == KILN_BLOCK_FLUSH || !g_atomic_int_get(&member->group->limited) ||
        may_go(member, direction, request))
        base->child->ops->submit(base->child, request);
}

static gboolean
throttle_resize(KilnBlock *base, uint64_t length, GError **error)
{
    if (!kiln_block_resize(base->child, length, error))
        return FALSE;
    base->length = base->child->length;
    return TRUE;
}

static void
throttle_free(KilnBlock *base)
{
    Member *member = (Member *)base;

    for (unsigned i = 0; i < N_DIRECTIONS; i++)
        kiln_timer_free(member->sides[i].timer);
    kiln_throttle_group_unref(member->group);
    g_free(member);
}

static const KilnBlockOps throttle_ops = {
    .name = "throttle",
    .submit = throttle_submit,
    .resize = throttle_resize,
    .free = throttle_free,
};

KilnBlock *
kiln_throttle_open(KilnBlock *child, KilnThrottleGroup *group, GError **error)
{
    Member *member = g_new0(Member, 1);

    member->base = *child;
    member->base.ops = &throttle_ops;
    member->base.child = child;
    member->base.request_size =
        MAX(child->request_size, (size_t)kiln_align_up(sizeof(Waiting), 16));
    member->group = kiln_throttle_group_ref(group);
    for (unsigned i = 0; i < N_DIRECTIONS; i++) {
        Side *side = &member->sides[i];

        side->member = member;
        side->last = &side->first;
        side->timer = kiln_timer_open(child->context, turn, side, error);
        if (side->timer == NULL) {
            kiln_block_free(&member->base);
            return NULL;
        }
    }
    return &member->base;
}
