/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the bytes of a disk are, on the host or over the network.  One struct for <disk> itself,
 * each <backingStore> below it and a <mirror>: its members stand in attribute type and child
 * <source> of that element.
 */
#ifndef KILN_DOMAIN_DISK_SOURCE_H
#define KILN_DOMAIN_DISK_SOURCE_H

#include "domain/address.h"
#include "domain/fields.h"
#include "domain/seclabel.h"
#include "domain/unix-socket.h"

/* absent only where a backing chain ends */
typedef enum {
    KILN_DISK_TYPE_ABSENT,
    KILN_DISK_TYPE_FILE,
    KILN_DISK_TYPE_BLOCK,
    KILN_DISK_TYPE_DIR,
    KILN_DISK_TYPE_NETWORK,
    KILN_DISK_TYPE_NVME,
    KILN_DISK_TYPE_VHOSTUSER,
    KILN_DISK_TYPE_VOLUME,
    KILN_N_DISK_TYPE
} KilnDiskType;

extern const char *const kiln_disk_type_names[KILN_N_DISK_TYPE];

typedef enum {
    KILN_DISK_PROTOCOL_ABSENT,
    KILN_DISK_PROTOCOL_NBD,
    KILN_DISK_PROTOCOL_RBD,
    KILN_DISK_PROTOCOL_ISCSI,
    KILN_DISK_PROTOCOL_HTTP,
    KILN_DISK_PROTOCOL_HTTPS,
    KILN_DISK_PROTOCOL_FTP,
    KILN_DISK_PROTOCOL_FTPS,
    KILN_DISK_PROTOCOL_TFTP,
    KILN_DISK_PROTOCOL_GLUSTER,
    KILN_DISK_PROTOCOL_SHEEPDOG,
    KILN_DISK_PROTOCOL_VXHS,
    KILN_DISK_PROTOCOL_NFS,
    KILN_N_DISK_PROTOCOL
} KilnDiskProtocol;

extern const char *const kiln_disk_protocol_names[KILN_N_DISK_PROTOCOL];

/* absent is tcp */
typedef enum {
    KILN_DISK_TRANSPORT_ABSENT,
    KILN_DISK_TRANSPORT_TCP,
    KILN_DISK_TRANSPORT_RDMA,
    KILN_DISK_TRANSPORT_UNIX,
    KILN_N_DISK_TRANSPORT
} KilnDiskTransport;

extern const char *const kiln_disk_transport_names[KILN_N_DISK_TRANSPORT];

typedef enum {
    KILN_DISK_STARTUP_POLICY_ABSENT,
    KILN_DISK_STARTUP_POLICY_MANDATORY,
    KILN_DISK_STARTUP_POLICY_REQUISITE,
    KILN_DISK_STARTUP_POLICY_OPTIONAL,
    KILN_N_DISK_STARTUP_POLICY
} KilnDiskStartupPolicy;

extern const char *const kiln_disk_startup_policy_names[KILN_N_DISK_STARTUP_POLICY];

typedef enum {
    KILN_DISK_VOLUME_MODE_ABSENT,
    KILN_DISK_VOLUME_MODE_HOST,
    KILN_DISK_VOLUME_MODE_DIRECT,
    KILN_N_DISK_VOLUME_MODE
} KilnDiskVolumeMode;

extern const char *const kiln_disk_volume_mode_names[KILN_N_DISK_VOLUME_MODE];

typedef enum {
    KILN_DISK_AUTH_TYPE_ABSENT,
    KILN_DISK_AUTH_TYPE_CEPH,
    KILN_DISK_AUTH_TYPE_ISCSI,
    KILN_N_DISK_AUTH_TYPE
} KilnDiskAuthType;

extern const char *const kiln_disk_auth_type_names[KILN_N_DISK_AUTH_TYPE];

typedef enum {
    KILN_DISK_NVME_KIND_ABSENT,
    KILN_DISK_NVME_KIND_PCI,
    KILN_N_DISK_NVME_KIND
} KilnDiskNvmeKind;

extern const char *const kiln_disk_nvme_kind_names[KILN_N_DISK_NVME_KIND];

typedef enum {
    KILN_DISK_ENCRYPTION_FORMAT_ABSENT,
    KILN_DISK_ENCRYPTION_FORMAT_DEFAULT,
    KILN_DISK_ENCRYPTION_FORMAT_QCOW,
    KILN_DISK_ENCRYPTION_FORMAT_LUKS,
    KILN_DISK_ENCRYPTION_FORMAT_LUKS2,
    KILN_N_DISK_ENCRYPTION_FORMAT
} KilnDiskEncryptionFormat;

extern const char *const kiln_disk_encryption_format_names[KILN_N_DISK_ENCRYPTION_FORMAT];

typedef enum {
    KILN_DISK_ENCRYPTION_ENGINE_ABSENT,
    KILN_DISK_ENCRYPTION_ENGINE_QEMU,
    KILN_DISK_ENCRYPTION_ENGINE_LIBRBD,
    KILN_N_DISK_ENCRYPTION_ENGINE
} KilnDiskEncryptionEngine;

extern const char *const kiln_disk_encryption_engine_names[KILN_N_DISK_ENCRYPTION_ENGINE];

typedef enum {
    KILN_DISK_SECRET_TYPE_ABSENT,
    KILN_DISK_SECRET_TYPE_PASSPHRASE,
    KILN_N_DISK_SECRET_TYPE
} KilnDiskSecretType;

extern const char *const kiln_disk_secret_type_names[KILN_N_DISK_SECRET_TYPE];

typedef enum {
    KILN_DISK_SLICE_TYPE_ABSENT,
    KILN_DISK_SLICE_TYPE_STORAGE,
    KILN_N_DISK_SLICE_TYPE
} KilnDiskSliceType;

extern const char *const kiln_disk_slice_type_names[KILN_N_DISK_SLICE_TYPE];

/* A server; port or socket. */
typedef struct {
    KilnDiskTransport transport;
    char *name; /* (owned) (nullable) */
    KilnUint port;
    char *socket; /* (owned) (nullable) */
} KilnDiskHost;

/* Who we are to the server; the secret is libvirt's, by UUID or by usage. */
typedef struct {
    char *username; /* (owned) (nullable) */
    KilnDiskAuthType secret_type;
    char *secret_uuid;  /* (owned) (nullable) */
    char *secret_usage; /* (owned) (nullable) */
} KilnDiskAuth;

/* A libvirt secret, by UUID or by usage. */
typedef struct {
    KilnDiskSecretType type;
    char *uuid;  /* (owned) (nullable) */
    char *usage; /* (owned) (nullable) */
} KilnDiskSecret;

typedef struct {
    KilnDiskEncryptionFormat format;
    KilnDiskEncryptionEngine engine;
    KilnDiskSecret *secret; /* (owned) (nullable) */
    char *cipher_name;      /* (owned) (nullable) */
    KilnUint cipher_size;   /* bits */
    char *cipher_mode;      /* (owned) (nullable) */
    char *cipher_hash;      /* (owned) (nullable) */
    char *ivgen_name;       /* (owned) (nullable) */
    char *ivgen_hash;       /* (owned) (nullable) */
} KilnDiskEncryption;

/* The part of the file that is the disk. */
typedef struct {
    KilnDiskSliceType type;
    KilnUint offset; /* bytes */
    KilnUint size;   /* bytes */
} KilnDiskSlice;

/* SCSI persistent reservations through a helper. */
typedef struct {
    KilnSwitch managed;    /* the helper is started for the guest */
    KilnUnixSocket socket; /* the helper's */
} KilnDiskReservations;

typedef struct {
    char *name;  /* (owned) (nullable) */
    char *value; /* (owned) (nullable) */
} KilnDiskCookie;

typedef struct {
    KilnDiskProtocol protocol;
    char *name;  /* (owned) (nullable) image, export, target/LUN or path */
    char *query; /* (owned) (nullable) */
    KilnSwitch tls;
    char *tls_hostname;   /* (owned) (nullable) that the server's certificate must have */
    GPtrArray *hosts;     /* (owned) of KilnDiskHost */
    char *snapshot;       /* (owned) (nullable) */
    char *config;         /* (owned) (nullable) */
    char *identity_user;  /* (owned) (nullable) */
    char *identity_group; /* (owned) (nullable) */
    char *initiator_iqn;  /* (owned) (nullable) */
    KilnSwitch ssl_verify;
    GPtrArray *cookies; /* (owned) of KilnDiskCookie */
    KilnUint readahead_bytes;
    KilnUint timeout_s;
} KilnDiskNetwork;

typedef struct {
    KilnDiskType type;
    KilnDiskNvmeKind nvme_kind;
    char *file;    /* (owned) (nullable) */
    char *fdgroup; /* (owned) (nullable) */
    char *dev;     /* (owned) (nullable) */
    char *dir;     /* (owned) (nullable) */
    char *pool;    /* (owned) (nullable) */
    char *volume;  /* (owned) (nullable) */
    KilnDiskVolumeMode volume_mode;
    KilnUint nvme_namespace;
    KilnSwitch nvme_managed;
    KilnUnixSocket socket; /* of the back end, where we connect; without a mode */
    KilnDiskStartupPolicy startup_policy;
    KilnUint index; /* by which a chain's elements are told apart */
    KilnDiskNetwork network;
    KilnPciAddress nvme_address;
    GPtrArray *slices;                  /* (owned) of KilnDiskSlice */
    KilnDiskAuth *auth;                 /* (owned) (nullable) */
    KilnDiskEncryption *encryption;     /* (owned) (nullable) */
    KilnDiskReservations *reservations; /* (owned) (nullable) */
    GPtrArray *seclabels;               /* (owned) of KilnSeclabel */
} KilnDiskSource;

extern const KilnStruct kiln_disk_auth_struct;
extern const KilnStruct kiln_disk_encryption_struct;
extern const KilnStruct kiln_disk_network_struct;
extern const KilnStruct kiln_disk_source_struct;

#endif
