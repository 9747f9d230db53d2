/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See fw-cfg.h. */
#include "device/fw-cfg.h"

#include <string.h>

#include "base/be.h"
#include "base/error.h"
#include "base/le.h"

enum {
    PORTS = 2,
    DMA_PORTS = 8,
    KEY_WRITE = 0x4000, /* asks for writing; has no part in which item it is */
    KEY_NONE = 0xffff,
    VERSION_PORTS = 1 << 0,
    VERSION_DMA = 1 << 1,
    DIR_ENTRY = 64, /* big-endian: size (4), key (2), reserved (2), name (56) */
    DIR_ENTRY_NAME = 8,
    MAX_FILES = 0x1000,
    ZEROES = 4096, /* written at a time where there is no item */
};

/* A DMA command, big-endian: control (4), length (4), address (8). */
enum {
    DMA_ERROR = 1 << 0,
    DMA_READ = 1 << 1,
    DMA_SKIP = 1 << 2,
    DMA_SELECT = 1 << 3,
    DMA_WRITE = 1 << 4,
    DMA_KEY_SHIFT = 16,
    DMA_LENGTH = 4,
    DMA_ADDRESS = 8,
    DMA_BYTES = 16,
};

static const char dma_signature[DMA_PORTS] = "QEMU CFG";

typedef struct {
    char *name;         /* (owned) (nullable): of a file */
    uint32_t size;      /* bytes, always */
    GBytes *data;       /* (owned) (nullable): NULL: to be made */
    KilnFwCfgMake make; /* (nullable): NULL: @data is for ever */
    void *opaque;
} Item;

struct KilnFwCfg {
    KilnDevice device;
    KilnSpace *io;
    KilnMemory *memory;
    KilnRegion ports;
    KilnRegion dma;
    GHashTable *items; /* (owned): key -> Item, but for files */
    GPtrArray *files;  /* (owned) of Item, by name */
    Item *item;        /* (nullable): what @key selects */

    uint16_t key;
    uint32_t offset; /* of the next byte */
    uint32_t dma_high;
};

/* ---- Items -------------------------------------------------------------------------------------
 */

static void
item_free(gpointer data)
{
    Item *item = data;

    g_free(item->name);
    g_clear_pointer(&item->data, g_bytes_unref);
    g_free(item);
}

static Item *
item_new(const char *name, GBytes *data)
{
    Item *item = g_new0(Item, 1);

    item->name = g_strdup(name);
    item->data = data;
    item->size = data != NULL ? (uint32_t)g_bytes_get_size(data) : 0;
    return item;
}

static Item *
item_new_made(const char *name, uint32_t size, KilnFwCfgMake make, void *opaque)
{
    Item *item = item_new(name, NULL);

    item->size = size;
    item->make = make;
    item->opaque = opaque;
    return item;
}

/* The item's bytes, @length of them (out): fewer than its size if it was made so. */
static const uint8_t *
item_bytes(Item *item, gsize *length)
{
    if (item->data == NULL)
        item->data = item->make(item->opaque);
    if (item->data == NULL)
        item->data = g_bytes_new_static(NULL, 0);
    return g_bytes_get_data(item->data, length);
}

/* Bytes from @offset on; what is behind its end is zero. */
static void
item_copy(Item *item, uint32_t offset, uint8_t *to, uint32_t length)
{
    gsize size = 0;
    const uint8_t *bytes = item_bytes(item, &size);
    gsize end = MIN(size, item->size);
    gsize n = offset < end ? MIN(length, end - offset) : 0;

    if (n > 0)
        memcpy(to, bytes + offset, n);
    memset(to + n, 0, length - n);
}

/* The directory: how many there are, and each in the order of its key. */
static GBytes *
make_directory(void *opaque)
{
    const KilnFwCfg *fw_cfg = opaque;
    gsize size = 4 + (gsize)fw_cfg->files->len * DIR_ENTRY;
    uint8_t *data = g_malloc0(size);

    kiln_be32_store(data, fw_cfg->files->len);
    for (guint i = 0; i < fw_cfg->files->len; i++) {
        const Item *item = g_ptr_array_index(fw_cfg->files, i);
        uint8_t *entry = data + 4 + (gsize)i * DIR_ENTRY;

        kiln_be32_store(entry, item->size);
        kiln_be16_store(entry + 4, (uint16_t)(KILN_FW_CFG_FILE_FIRST + i));
        memcpy(entry + DIR_ENTRY_NAME, item->name, strlen(item->name));
    }
    return g_bytes_new_take(data, size);
}

static Item *
find_item(KilnFwCfg *fw_cfg, uint16_t key)
{
    guint file = (guint)key - KILN_FW_CFG_FILE_FIRST;

    if (key >= KILN_FW_CFG_FILE_FIRST && file < fw_cfg->files->len)
        return g_ptr_array_index(fw_cfg->files, file);
    return g_hash_table_lookup(fw_cfg->items, GUINT_TO_POINTER(key));
}

static void
select_item(KilnFwCfg *fw_cfg, uint16_t key)
{
    fw_cfg->key = key & (uint16_t)~KEY_WRITE;
    fw_cfg->offset = 0;
    fw_cfg->item = find_item(fw_cfg, fw_cfg->key);
}

/* Bytes that are left of the selected item. */
static uint32_t
bytes_left(const KilnFwCfg *fw_cfg)
{
    const Item *item = fw_cfg->item;

    return item != NULL && fw_cfg->offset < item->size ? item->size - fw_cfg->offset : 0;
}

/* ---- Ports -------------------------------------------------------------------------------------
 */

/* Any byte of the two is the next one of the item; past its end there are zeroes. */
static uint64_t
ports_read(void *opaque, uint64_t offset, unsigned size)
{
    KilnFwCfg *fw_cfg = opaque;
    uint8_t byte = 0;

    if (bytes_left(fw_cfg) == 0)
        return 0;
    item_copy(fw_cfg->item, fw_cfg->offset++, &byte, 1);
    return byte;
}

static void
ports_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    if (size == 2)
        select_item(opaque, (uint16_t)data);
}

static const KilnRegionOps ports_ops = { .read = ports_read,
                                         .write = ports_write,
                                         .max_access = 2 };

/* ---- DMA ---------------------------------------------------------------------------------------
 */

/* Copies what the item has and then zeroes, as far as guest memory reaches. */
static gboolean
dma_read(KilnFwCfg *fw_cfg, KilnGpa gpa, uint32_t length)
{
    static const uint8_t zeroes[ZEROES];
    uint32_t n = MIN(length, bytes_left(fw_cfg));
    gsize size = 0;

    if (n > 0) {
        const uint8_t *bytes = item_bytes(fw_cfg->item, &size);
        gsize end = MIN(size, fw_cfg->item->size);
        uint32_t have = fw_cfg->offset < end ? (uint32_t)MIN(n, end - fw_cfg->offset) : 0;

        if (have > 0 && !kiln_memory_write(fw_cfg->memory, gpa, bytes + fw_cfg->offset, have))
            return FALSE;
        fw_cfg->offset += n;
        gpa += have;
        length -= have;
    }
    for (; length > 0; length -= n, gpa += n) {
        n = MIN(length, (uint32_t)ZEROES);
        if (!kiln_memory_write(fw_cfg->memory, gpa, zeroes, n))
            return FALSE;
    }
    return TRUE;
}

/* Returns: the control field that tells the guest how it went. */
static uint32_t
dma_do(KilnFwCfg *fw_cfg, const uint8_t command[DMA_BYTES])
{
    uint32_t control = kiln_be32_load(command);
    uint32_t length = kiln_be32_load(command + DMA_LENGTH);

    if (control & DMA_SELECT)
        select_item(fw_cfg, (uint16_t)(control >> DMA_KEY_SHIFT));
    if (control & DMA_READ)
        return dma_read(fw_cfg, kiln_be64_load(command + DMA_ADDRESS), length) ? 0 : DMA_ERROR;
    if (control & DMA_WRITE)
        return length > 0 ? DMA_ERROR : 0;
    if (control & DMA_SKIP)
        fw_cfg->offset += MIN(length, bytes_left(fw_cfg));
    return 0;
}

static void
dma_start(KilnFwCfg *fw_cfg, KilnGpa gpa)
{
    uint8_t command[DMA_BYTES];
    uint8_t answer[4];
    uint32_t control = DMA_ERROR;

    if (kiln_memory_read(fw_cfg->memory, gpa, command, sizeof command))
        control = dma_do(fw_cfg, command);
    kiln_be32_store(answer, control);
    (void)kiln_memory_write(fw_cfg->memory, gpa, answer, sizeof answer);
}

/* The register is big-endian, so the two halves are as they stand in memory. */
static uint64_t
dma_port_read(void *opaque, uint64_t offset, unsigned size)
{
    return kiln_le32_load(dma_signature + (offset & 4));
}

static void
dma_port_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    KilnFwCfg *fw_cfg = opaque;
    uint32_t value = GUINT32_SWAP_LE_BE((uint32_t)data);
    KilnGpa gpa;

    if (offset == 0) {
        fw_cfg->dma_high = value;
        return;
    }
    gpa = (KilnGpa)fw_cfg->dma_high << 32 | value;
    fw_cfg->dma_high = 0;
    if (offset == 4)
        dma_start(fw_cfg, gpa);
}

static const KilnRegionOps dma_ops = {
    .read = dma_port_read, .write = dma_port_write, .min_access = 4, .max_access = 4
};

/* ---- The device --------------------------------------------------------------------------------
 */

static void
forget_made(Item *item)
{
    if (item->make != NULL)
        g_clear_pointer(&item->data, g_bytes_unref);
}

static void
fw_cfg_reset(KilnDevice *device)
{
    KilnFwCfg *fw_cfg = (KilnFwCfg *)device;
    GHashTableIter iter;
    gpointer item;

    g_hash_table_iter_init(&iter, fw_cfg->items);
    while (g_hash_table_iter_next(&iter, NULL, &item))
        forget_made(item);
    for (guint i = 0; i < fw_cfg->files->len; i++)
        forget_made(g_ptr_array_index(fw_cfg->files, i));
    fw_cfg->dma_high = 0;
    select_item(fw_cfg, KILN_FW_CFG_SIGNATURE);
}

static void
fw_cfg_free(KilnDevice *device)
{
    KilnFwCfg *fw_cfg = (KilnFwCfg *)device;

    kiln_space_remove(fw_cfg->io, &fw_cfg->ports);
    kiln_space_remove(fw_cfg->io, &fw_cfg->dma);
    g_hash_table_unref(fw_cfg->items);
    g_ptr_array_unref(fw_cfg->files);
    kiln_device_clear(device);
    g_free(fw_cfg);
}

static gboolean
fw_cfg_post_load(void *object, GError **error)
{
    KilnFwCfg *fw_cfg = object;

    fw_cfg->item = find_item(fw_cfg, fw_cfg->key);
    return TRUE;
}

static const KilnStateField fw_cfg_fields[] = {
    KILN_STATE(KilnFwCfg, key, 1),
    KILN_STATE(KilnFwCfg, offset, 1),
    KILN_STATE(KilnFwCfg, dma_high, 1),
    KILN_STATE_END,
};

static const KilnStateDescription fw_cfg_state = {
    .name = "fw-cfg",
    .version = 1,
    .min_version = 1,
    .fields = fw_cfg_fields,
    .post_load = fw_cfg_post_load,
};

static const KilnDeviceOps fw_cfg_ops = {
    .name = "fw-cfg", .reset = fw_cfg_reset, .free = fw_cfg_free, .state = &fw_cfg_state
};

static void
add_item(KilnFwCfg *fw_cfg, uint16_t key, Item *item)
{
    g_assert(g_hash_table_insert(fw_cfg->items, GUINT_TO_POINTER(key), item));
    select_item(fw_cfg, fw_cfg->key);
}

KilnFwCfg *
kiln_fw_cfg_new(const KilnFwCfgOptions *options, GError **error)
{
    KilnFwCfg *fw_cfg = g_new0(KilnFwCfg, 1);

    kiln_device_init(&fw_cfg->device, &fw_cfg_ops, "fw-cfg");
    fw_cfg->io = options->io;
    fw_cfg->memory = options->memory;
    fw_cfg->items = g_hash_table_new_full(NULL, NULL, NULL, item_free);
    fw_cfg->files = g_ptr_array_new_with_free_func(item_free);
    kiln_region_init(&fw_cfg->ports, &fw_cfg->device, &ports_ops, PORTS);
    kiln_region_init(&fw_cfg->dma, &fw_cfg->device, &dma_ops, DMA_PORTS);
    add_item(fw_cfg, KILN_FW_CFG_SIGNATURE, item_new(NULL, g_bytes_new_static("QEMU", 4)));
    kiln_fw_cfg_add_32(fw_cfg, KILN_FW_CFG_ID, VERSION_PORTS | VERSION_DMA);
    add_item(fw_cfg, KILN_FW_CFG_FILE_DIR, item_new_made(NULL, 4, make_directory, fw_cfg));
    if (!kiln_space_add(fw_cfg->io, &fw_cfg->ports, KILN_FW_CFG_PORT, error) ||
        !kiln_space_add(fw_cfg->io, &fw_cfg->dma, KILN_FW_CFG_DMA_PORT, error)) {
        fw_cfg_free(&fw_cfg->device);
        return NULL;
    }
    return fw_cfg;
}

KilnDevice *
kiln_fw_cfg_device(KilnFwCfg *fw_cfg)
{
    return &fw_cfg->device;
}

void
kiln_fw_cfg_add(KilnFwCfg *fw_cfg, uint16_t key, GBytes *data)
{
    add_item(fw_cfg, key, item_new(NULL, data));
}

void
kiln_fw_cfg_add_16(KilnFwCfg *fw_cfg, uint16_t key, uint16_t value)
{
    uint8_t bytes[2];

    kiln_le16_store(bytes, value);
    kiln_fw_cfg_add(fw_cfg, key, g_bytes_new(bytes, sizeof bytes));
}

void
kiln_fw_cfg_add_32(KilnFwCfg *fw_cfg, uint16_t key, uint32_t value)
{
    uint8_t bytes[4];

    kiln_le32_store(bytes, value);
    kiln_fw_cfg_add(fw_cfg, key, g_bytes_new(bytes, sizeof bytes));
}

void
kiln_fw_cfg_add_64(KilnFwCfg *fw_cfg, uint16_t key, uint64_t value)
{
    uint8_t bytes[8];

    kiln_le64_store(bytes, value);
    kiln_fw_cfg_add(fw_cfg, key, g_bytes_new(bytes, sizeof bytes));
}

void
kiln_fw_cfg_add_made(KilnFwCfg *fw_cfg, uint16_t key, uint32_t size, KilnFwCfgMake make,
                     void *opaque)
{
    add_item(fw_cfg, key, item_new_made(NULL, size, make, opaque));
}

/* Takes @item, or frees it. */
static gboolean
add_file(KilnFwCfg *fw_cfg, Item *item, GError **error)
{
    gsize length = strlen(item->name);
    Item *directory =
        g_hash_table_lookup(fw_cfg->items, GUINT_TO_POINTER((guint)KILN_FW_CFG_FILE_DIR));
    const char *wrong = NULL;
    guint at = 0;

    while (at < fw_cfg->files->len &&
           strcmp(((Item *)g_ptr_array_index(fw_cfg->files, at))->name, item->name) < 0)
        at++;
    if (length == 0 || length > KILN_FW_CFG_MAX_NAME)
        wrong = "has a name that is empty or longer than 55 bytes";
    else if (fw_cfg->files->len == MAX_FILES)
        wrong = "is one too many";
    else if (at < fw_cfg->files->len &&
             g_str_equal(((Item *)g_ptr_array_index(fw_cfg->files, at))->name, item->name))
        wrong = "is there already";
    if (wrong != NULL) {
        kiln_error_set(error, KILN_ERROR_INVALID, "fw_cfg: the file '%s' %s", item->name, wrong);
        item_free(item);
        return FALSE;
    }
    g_ptr_array_insert(fw_cfg->files, (gint)at, item);
    directory->size = 4 + fw_cfg->files->len * DIR_ENTRY;
    forget_made(directory);
    return TRUE;
}

gboolean
kiln_fw_cfg_add_file(KilnFwCfg *fw_cfg, const char *name, GBytes *data, GError **error)
{
    return add_file(fw_cfg, item_new(name, data), error);
}

gboolean
kiln_fw_cfg_add_made_file(KilnFwCfg *fw_cfg, const char *name, uint32_t size, KilnFwCfgMake make,
                          void *opaque, GError **error)
{
    return add_file(fw_cfg, item_new_made(name, size, make, opaque), error);
}
