/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CPU features by libvirt's and QEMU's names, and the bit of CPUID or of a capability MSR that each
 * is (SDM vol. 2A "CPUID", ed. 081; AMD APM vol. 3, appendix E; Linux's Documentation/virt/kvm/x86/
 * cpuid.rst for KVM's own).  libvirt's spelling is the one in the table; see
 * kiln_cpu_feature_find() for the others.
 */
#ifndef KILN_KVM_CPU_FEATURES_H
#define KILN_KVM_CPU_FEATURES_H

#include <glib.h>
#include <linux/kvm.h>
#include <stdint.h>

/* clang-format off: identifier, name, leaf, subleaf, register, bit; identifier, name, MSR, bit */
#define KILN_CPU_FEATURES(KILN_CPUID_FEATURE, KILN_MSR_FEATURE)                                    \
    KILN_CPUID_FEATURE(PNI, "pni", 0x1, 0, ECX, 0)                                                 \
    KILN_CPUID_FEATURE(PCLMULDQ, "pclmuldq", 0x1, 0, ECX, 1)                                       \
    KILN_CPUID_FEATURE(DTES64, "dtes64", 0x1, 0, ECX, 2)                                           \
    KILN_CPUID_FEATURE(MONITOR, "monitor", 0x1, 0, ECX, 3)                                         \
    KILN_CPUID_FEATURE(DS_CPL, "ds_cpl", 0x1, 0, ECX, 4)                                           \
    KILN_CPUID_FEATURE(VMX, "vmx", 0x1, 0, ECX, 5)                                                 \
    KILN_CPUID_FEATURE(SMX, "smx", 0x1, 0, ECX, 6)                                                 \
    KILN_CPUID_FEATURE(EST, "est", 0x1, 0, ECX, 7)                                                 \
    KILN_CPUID_FEATURE(TM2, "tm2", 0x1, 0, ECX, 8)                                                 \
    KILN_CPUID_FEATURE(SSSE3, "ssse3", 0x1, 0, ECX, 9)                                             \
    KILN_CPUID_FEATURE(CID, "cid", 0x1, 0, ECX, 10)                                                \
    KILN_CPUID_FEATURE(FMA, "fma", 0x1, 0, ECX, 12)                                                \
    KILN_CPUID_FEATURE(CX16, "cx16", 0x1, 0, ECX, 13)                                              \
    KILN_CPUID_FEATURE(XTPR, "xtpr", 0x1, 0, ECX, 14)                                              \
    KILN_CPUID_FEATURE(PDCM, "pdcm", 0x1, 0, ECX, 15)                                              \
    KILN_CPUID_FEATURE(PCID, "pcid", 0x1, 0, ECX, 17)                                              \
    KILN_CPUID_FEATURE(DCA, "dca", 0x1, 0, ECX, 18)                                                \
    KILN_CPUID_FEATURE(SSE4_1, "sse4.1", 0x1, 0, ECX, 19)                                          \
    KILN_CPUID_FEATURE(SSE4_2, "sse4.2", 0x1, 0, ECX, 20)                                          \
    KILN_CPUID_FEATURE(X2APIC, "x2apic", 0x1, 0, ECX, 21)                                          \
    KILN_CPUID_FEATURE(MOVBE, "movbe", 0x1, 0, ECX, 22)                                            \
    KILN_CPUID_FEATURE(POPCNT, "popcnt", 0x1, 0, ECX, 23)                                          \
    KILN_CPUID_FEATURE(TSC_DEADLINE, "tsc-deadline", 0x1, 0, ECX, 24)                              \
    KILN_CPUID_FEATURE(AES, "aes", 0x1, 0, ECX, 25)                                                \
    KILN_CPUID_FEATURE(XSAVE, "xsave", 0x1, 0, ECX, 26)                                            \
    KILN_CPUID_FEATURE(OSXSAVE, "osxsave", 0x1, 0, ECX, 27)                                        \
    KILN_CPUID_FEATURE(AVX, "avx", 0x1, 0, ECX, 28)                                                \
    KILN_CPUID_FEATURE(F16C, "f16c", 0x1, 0, ECX, 29)                                              \
    KILN_CPUID_FEATURE(RDRAND, "rdrand", 0x1, 0, ECX, 30)                                          \
    KILN_CPUID_FEATURE(HYPERVISOR, "hypervisor", 0x1, 0, ECX, 31)                                  \
    KILN_CPUID_FEATURE(FPU, "fpu", 0x1, 0, EDX, 0)                                                 \
    KILN_CPUID_FEATURE(VME, "vme", 0x1, 0, EDX, 1)                                                 \
    KILN_CPUID_FEATURE(DE, "de", 0x1, 0, EDX, 2)                                                   \
    KILN_CPUID_FEATURE(PSE, "pse", 0x1, 0, EDX, 3)                                                 \
    KILN_CPUID_FEATURE(TSC, "tsc", 0x1, 0, EDX, 4)                                                 \
    KILN_CPUID_FEATURE(MSR, "msr", 0x1, 0, EDX, 5)                                                 \
    KILN_CPUID_FEATURE(PAE, "pae", 0x1, 0, EDX, 6)                                                 \
    KILN_CPUID_FEATURE(MCE, "mce", 0x1, 0, EDX, 7)                                                 \
    KILN_CPUID_FEATURE(CX8, "cx8", 0x1, 0, EDX, 8)                                                 \
    KILN_CPUID_FEATURE(APIC, "apic", 0x1, 0, EDX, 9)                                               \
    KILN_CPUID_FEATURE(SEP, "sep", 0x1, 0, EDX, 11)                                                \
    KILN_CPUID_FEATURE(MTRR, "mtrr", 0x1, 0, EDX, 12)                                              \
    KILN_CPUID_FEATURE(PGE, "pge", 0x1, 0, EDX, 13)                                                \
    KILN_CPUID_FEATURE(MCA, "mca", 0x1, 0, EDX, 14)                                                \
    KILN_CPUID_FEATURE(CMOV, "cmov", 0x1, 0, EDX, 15)                                              \
    KILN_CPUID_FEATURE(PAT, "pat", 0x1, 0, EDX, 16)                                                \
    KILN_CPUID_FEATURE(PSE36, "pse36", 0x1, 0, EDX, 17)                                            \
    KILN_CPUID_FEATURE(PN, "pn", 0x1, 0, EDX, 18)                                                  \
    KILN_CPUID_FEATURE(CLFLUSH, "clflush", 0x1, 0, EDX, 19)                                        \
    KILN_CPUID_FEATURE(DS, "ds", 0x1, 0, EDX, 21)                                                  \
    KILN_CPUID_FEATURE(ACPI, "acpi", 0x1, 0, EDX, 22)                                              \
    KILN_CPUID_FEATURE(MMX, "mmx", 0x1, 0, EDX, 23)                                                \
    KILN_CPUID_FEATURE(FXSR, "fxsr", 0x1, 0, EDX, 24)                                              \
    KILN_CPUID_FEATURE(SSE, "sse", 0x1, 0, EDX, 25)                                                \
    KILN_CPUID_FEATURE(SSE2, "sse2", 0x1, 0, EDX, 26)                                              \
    KILN_CPUID_FEATURE(SS, "ss", 0x1, 0, EDX, 27)                                                  \
    KILN_CPUID_FEATURE(HT, "ht", 0x1, 0, EDX, 28)                                                  \
    KILN_CPUID_FEATURE(TM, "tm", 0x1, 0, EDX, 29)                                                  \
    KILN_CPUID_FEATURE(IA64, "ia64", 0x1, 0, EDX, 30)                                              \
    KILN_CPUID_FEATURE(PBE, "pbe", 0x1, 0, EDX, 31)                                                \
    KILN_CPUID_FEATURE(ARAT, "arat", 0x6, 0, EAX, 2)                                               \
    KILN_CPUID_FEATURE(FSGSBASE, "fsgsbase", 0x7, 0, EBX, 0)                                       \
    KILN_CPUID_FEATURE(TSC_ADJUST, "tsc_adjust", 0x7, 0, EBX, 1)                                   \
    KILN_CPUID_FEATURE(SGX, "sgx", 0x7, 0, EBX, 2)                                                 \
    KILN_CPUID_FEATURE(BMI1, "bmi1", 0x7, 0, EBX, 3)                                               \
    KILN_CPUID_FEATURE(HLE, "hle", 0x7, 0, EBX, 4)                                                 \
    KILN_CPUID_FEATURE(AVX2, "avx2", 0x7, 0, EBX, 5)                                               \
    KILN_CPUID_FEATURE(FDP_EXCPTN_ONLY, "fdp-excptn-only", 0x7, 0, EBX, 6)                         \
    KILN_CPUID_FEATURE(SMEP, "smep", 0x7, 0, EBX, 7)                                               \
    KILN_CPUID_FEATURE(BMI2, "bmi2", 0x7, 0, EBX, 8)                                               \
    KILN_CPUID_FEATURE(ERMS, "erms", 0x7, 0, EBX, 9)                                               \
    KILN_CPUID_FEATURE(INVPCID, "invpcid", 0x7, 0, EBX, 10)                                        \
    KILN_CPUID_FEATURE(RTM, "rtm", 0x7, 0, EBX, 11)                                                \
    KILN_CPUID_FEATURE(CMT, "cmt", 0x7, 0, EBX, 12)                                                \
    KILN_CPUID_FEATURE(ZERO_FCS_FDS, "zero-fcs-fds", 0x7, 0, EBX, 13)                              \
    KILN_CPUID_FEATURE(MPX, "mpx", 0x7, 0, EBX, 14)                                                \
    KILN_CPUID_FEATURE(AVX512F, "avx512f", 0x7, 0, EBX, 16)                                        \
    KILN_CPUID_FEATURE(AVX512DQ, "avx512dq", 0x7, 0, EBX, 17)                                      \
    KILN_CPUID_FEATURE(RDSEED, "rdseed", 0x7, 0, EBX, 18)                                          \
    KILN_CPUID_FEATURE(ADX, "adx", 0x7, 0, EBX, 19)                                                \
    KILN_CPUID_FEATURE(SMAP, "smap", 0x7, 0, EBX, 20)                                              \
    KILN_CPUID_FEATURE(AVX512IFMA, "avx512ifma", 0x7, 0, EBX, 21)                                  \
    KILN_CPUID_FEATURE(PCOMMIT, "pcommit", 0x7, 0, EBX, 22)                                        \
    KILN_CPUID_FEATURE(CLFLUSHOPT, "clflushopt", 0x7, 0, EBX, 23)                                  \
    KILN_CPUID_FEATURE(CLWB, "clwb", 0x7, 0, EBX, 24)                                              \
    KILN_CPUID_FEATURE(INTEL_PT, "intel-pt", 0x7, 0, EBX, 25)                                      \
    KILN_CPUID_FEATURE(AVX512PF, "avx512pf", 0x7, 0, EBX, 26)                                      \
    KILN_CPUID_FEATURE(AVX512ER, "avx512er", 0x7, 0, EBX, 27)                                      \
    KILN_CPUID_FEATURE(AVX512CD, "avx512cd", 0x7, 0, EBX, 28)                                      \
    KILN_CPUID_FEATURE(SHA_NI, "sha-ni", 0x7, 0, EBX, 29)                                          \
    KILN_CPUID_FEATURE(AVX512BW, "avx512bw", 0x7, 0, EBX, 30)                                      \
    KILN_CPUID_FEATURE(AVX512VL, "avx512vl", 0x7, 0, EBX, 31)                                      \
    KILN_CPUID_FEATURE(AVX512VBMI, "avx512vbmi", 0x7, 0, ECX, 1)                                   \
    KILN_CPUID_FEATURE(UMIP, "umip", 0x7, 0, ECX, 2)                                               \
    KILN_CPUID_FEATURE(PKU, "pku", 0x7, 0, ECX, 3)                                                 \
    KILN_CPUID_FEATURE(OSPKE, "ospke", 0x7, 0, ECX, 4)                                             \
    KILN_CPUID_FEATURE(WAITPKG, "waitpkg", 0x7, 0, ECX, 5)                                         \
    KILN_CPUID_FEATURE(AVX512VBMI2, "avx512vbmi2", 0x7, 0, ECX, 6)                                 \
    KILN_CPUID_FEATURE(GFNI, "gfni", 0x7, 0, ECX, 8)                                               \
    KILN_CPUID_FEATURE(VAES, "vaes", 0x7, 0, ECX, 9)                                               \
    KILN_CPUID_FEATURE(VPCLMULQDQ, "vpclmulqdq", 0x7, 0, ECX, 10)                                  \
    KILN_CPUID_FEATURE(AVX512VNNI, "avx512vnni", 0x7, 0, ECX, 11)                                  \
    KILN_CPUID_FEATURE(AVX512BITALG, "avx512bitalg", 0x7, 0, ECX, 12)                              \
    KILN_CPUID_FEATURE(AVX512_VPOPCNTDQ, "avx512-vpopcntdq", 0x7, 0, ECX, 14)                      \
    KILN_CPUID_FEATURE(LA57, "la57", 0x7, 0, ECX, 16)                                              \
    KILN_CPUID_FEATURE(RDPID, "rdpid", 0x7, 0, ECX, 22)                                            \
    KILN_CPUID_FEATURE(BUS_LOCK_DETECT, "bus-lock-detect", 0x7, 0, ECX, 24)                        \
    KILN_CPUID_FEATURE(CLDEMOTE, "cldemote", 0x7, 0, ECX, 25)                                      \
    KILN_CPUID_FEATURE(MOVDIRI, "movdiri", 0x7, 0, ECX, 27)                                        \
    KILN_CPUID_FEATURE(MOVDIR64B, "movdir64b", 0x7, 0, ECX, 28)                                    \
    KILN_CPUID_FEATURE(SGXLC, "sgxlc", 0x7, 0, ECX, 30)                                            \
    KILN_CPUID_FEATURE(PKS, "pks", 0x7, 0, ECX, 31)                                                \
    KILN_CPUID_FEATURE(AVX512_4VNNIW, "avx512-4vnniw", 0x7, 0, EDX, 2)                             \
    KILN_CPUID_FEATURE(AVX512_4FMAPS, "avx512-4fmaps", 0x7, 0, EDX, 3)                             \
    KILN_CPUID_FEATURE(FSRM, "fsrm", 0x7, 0, EDX, 4)                                               \
    KILN_CPUID_FEATURE(AVX512_VP2INTERSECT, "avx512-vp2intersect", 0x7, 0, EDX, 8)                 \
    KILN_CPUID_FEATURE(MD_CLEAR, "md-clear", 0x7, 0, EDX, 10)                                      \
    KILN_CPUID_FEATURE(SERIALIZE, "serialize", 0x7, 0, EDX, 14)                                    \
    KILN_CPUID_FEATURE(TSX_LDTRK, "tsx-ldtrk", 0x7, 0, EDX, 16)                                    \
    KILN_CPUID_FEATURE(PCONFIG, "pconfig", 0x7, 0, EDX, 18)                                        \
    KILN_CPUID_FEATURE(ARCH_LBR, "arch-lbr", 0x7, 0, EDX, 19)                                      \
    KILN_CPUID_FEATURE(AMX_BF16, "amx-bf16", 0x7, 0, EDX, 22)                                      \
    KILN_CPUID_FEATURE(AVX512_FP16, "avx512-fp16", 0x7, 0, EDX, 23)                                \
    KILN_CPUID_FEATURE(AMX_TILE, "amx-tile", 0x7, 0, EDX, 24)                                      \
    KILN_CPUID_FEATURE(AMX_INT8, "amx-int8", 0x7, 0, EDX, 25)                                      \
    KILN_CPUID_FEATURE(SPEC_CTRL, "spec-ctrl", 0x7, 0, EDX, 26)                                    \
    KILN_CPUID_FEATURE(STIBP, "stibp", 0x7, 0, EDX, 27)                                            \
    KILN_CPUID_FEATURE(FLUSH_L1D, "flush-l1d", 0x7, 0, EDX, 28)                                    \
    KILN_CPUID_FEATURE(ARCH_CAPABILITIES, "arch-capabilities", 0x7, 0, EDX, 29)                    \
    KILN_CPUID_FEATURE(CORE_CAPABILITY, "core-capability", 0x7, 0, EDX, 30)                        \
    KILN_CPUID_FEATURE(SSBD, "ssbd", 0x7, 0, EDX, 31)                                              \
    KILN_CPUID_FEATURE(AVX_VNNI, "avx-vnni", 0x7, 1, EAX, 4)                                       \
    KILN_CPUID_FEATURE(AVX512_BF16, "avx512-bf16", 0x7, 1, EAX, 5)                                 \
    KILN_CPUID_FEATURE(CMPCCXADD, "cmpccxadd", 0x7, 1, EAX, 7)                                     \
    KILN_CPUID_FEATURE(FZRM, "fzrm", 0x7, 1, EAX, 10)                                              \
    KILN_CPUID_FEATURE(FSRS, "fsrs", 0x7, 1, EAX, 11)                                              \
    KILN_CPUID_FEATURE(FSRC, "fsrc", 0x7, 1, EAX, 12)                                              \
    KILN_CPUID_FEATURE(AMX_FP16, "amx-fp16", 0x7, 1, EAX, 21)                                      \
    KILN_CPUID_FEATURE(AVX_IFMA, "avx-ifma", 0x7, 1, EAX, 23)                                      \
    KILN_CPUID_FEATURE(AVX_VNNI_INT8, "avx-vnni-int8", 0x7, 1, EDX, 4)                             \
    KILN_CPUID_FEATURE(AVX_NE_CONVERT, "avx-ne-convert", 0x7, 1, EDX, 5)                           \
    KILN_CPUID_FEATURE(PREFETCHITI, "prefetchiti", 0x7, 1, EDX, 14)                                \
    KILN_CPUID_FEATURE(BHI_CTRL, "bhi-ctrl", 0x7, 2, EDX, 4)                                       \
    KILN_CPUID_FEATURE(XSAVEOPT, "xsaveopt", 0xd, 1, EAX, 0)                                       \
    KILN_CPUID_FEATURE(XSAVEC, "xsavec", 0xd, 1, EAX, 1)                                           \
    KILN_CPUID_FEATURE(XGETBV1, "xgetbv1", 0xd, 1, EAX, 2)                                         \
    KILN_CPUID_FEATURE(XSAVES, "xsaves", 0xd, 1, EAX, 3)                                           \
    KILN_CPUID_FEATURE(XFD, "xfd", 0xd, 1, EAX, 4)                                                 \
    KILN_CPUID_FEATURE(MBM_TOTAL, "mbm_total", 0xf, 1, EDX, 1)                                     \
    KILN_CPUID_FEATURE(MBM_LOCAL, "mbm_local", 0xf, 1, EDX, 2)                                     \
    KILN_CPUID_FEATURE(SGX1, "sgx1", 0x12, 0, EAX, 0)                                              \
    KILN_CPUID_FEATURE(SGX2, "sgx2", 0x12, 0, EAX, 1)                                              \
    KILN_CPUID_FEATURE(SGX_EXINFO, "sgx-exinfo", 0x12, 0, EBX, 0)                                  \
    KILN_CPUID_FEATURE(SGX_DEBUG, "sgx-debug", 0x12, 1, EAX, 1)                                    \
    KILN_CPUID_FEATURE(SGX_MODE64, "sgx-mode64", 0x12, 1, EAX, 2)                                  \
    KILN_CPUID_FEATURE(SGX_PROVISIONKEY, "sgx-provisionkey", 0x12, 1, EAX, 4)                      \
    KILN_CPUID_FEATURE(SGX_TOKENKEY, "sgx-tokenkey", 0x12, 1, EAX, 5)                              \
    KILN_CPUID_FEATURE(SGX_KSS, "sgx-kss", 0x12, 1, EAX, 7)                                        \
    KILN_CPUID_FEATURE(INTEL_PT_LIP, "intel-pt-lip", 0x14, 0, ECX, 31)                             \
    KILN_CPUID_FEATURE(KVM_NOPIODELAY, "kvm-nopiodelay", 0x40000001, 0, EAX, 1)                    \
    KILN_CPUID_FEATURE(KVM_MMU, "kvm-mmu", 0x40000001, 0, EAX, 2)                                  \
    KILN_CPUID_FEATURE(KVMCLOCK, "kvmclock", 0x40000001, 0, EAX, 3)                                \
    KILN_CPUID_FEATURE(KVM_ASYNCPF, "kvm-asyncpf", 0x40000001, 0, EAX, 4)                          \
    KILN_CPUID_FEATURE(KVM_STEAL_TIME, "kvm-steal-time", 0x40000001, 0, EAX, 5)                    \
    KILN_CPUID_FEATURE(KVM_PV_EOI, "kvm-pv-eoi", 0x40000001, 0, EAX, 6)                            \
    KILN_CPUID_FEATURE(KVM_PV_UNHALT, "kvm-pv-unhalt", 0x40000001, 0, EAX, 7)                      \
    KILN_CPUID_FEATURE(KVM_PV_TLB_FLUSH, "kvm-pv-tlb-flush", 0x40000001, 0, EAX, 9)                \
    KILN_CPUID_FEATURE(KVM_ASYNCPF_VMEXIT, "kvm-asyncpf-vmexit", 0x40000001, 0, EAX, 10)           \
    KILN_CPUID_FEATURE(KVM_PV_IPI, "kvm-pv-ipi", 0x40000001, 0, EAX, 11)                           \
    KILN_CPUID_FEATURE(KVM_POLL_CONTROL, "kvm-poll-control", 0x40000001, 0, EAX, 12)               \
    KILN_CPUID_FEATURE(KVM_PV_SCHED_YIELD, "kvm-pv-sched-yield", 0x40000001, 0, EAX, 13)           \
    KILN_CPUID_FEATURE(KVM_ASYNCPF_INT, "kvm-asyncpf-int", 0x40000001, 0, EAX, 14)                 \
    KILN_CPUID_FEATURE(KVMCLOCK_STABLE_BIT, "kvmclock-stable-bit", 0x40000001, 0, EAX, 24)         \
    KILN_CPUID_FEATURE(KVM_HINT_DEDICATED, "kvm-hint-dedicated", 0x40000001, 0, EDX, 0)            \
    KILN_CPUID_FEATURE(LAHF_LM, "lahf_lm", 0x80000001, 0, ECX, 0)                                  \
    KILN_CPUID_FEATURE(CMP_LEGACY, "cmp_legacy", 0x80000001, 0, ECX, 1)                            \
    KILN_CPUID_FEATURE(SVM, "svm", 0x80000001, 0, ECX, 2)                                          \
    KILN_CPUID_FEATURE(EXTAPIC, "extapic", 0x80000001, 0, ECX, 3)                                  \
    KILN_CPUID_FEATURE(CR8LEGACY, "cr8legacy", 0x80000001, 0, ECX, 4)                              \
    KILN_CPUID_FEATURE(ABM, "abm", 0x80000001, 0, ECX, 5)                                          \
    KILN_CPUID_FEATURE(SSE4A, "sse4a", 0x80000001, 0, ECX, 6)                                      \
    KILN_CPUID_FEATURE(MISALIGNSSE, "misalignsse", 0x80000001, 0, ECX, 7)                          \
    KILN_CPUID_FEATURE(3DNOWPREFETCH, "3dnowprefetch", 0x80000001, 0, ECX, 8)                      \
    KILN_CPUID_FEATURE(OSVW, "osvw", 0x80000001, 0, ECX, 9)                                        \
    KILN_CPUID_FEATURE(IBS, "ibs", 0x80000001, 0, ECX, 10)                                         \
    KILN_CPUID_FEATURE(XOP, "xop", 0x80000001, 0, ECX, 11)                                         \
    KILN_CPUID_FEATURE(SKINIT, "skinit", 0x80000001, 0, ECX, 12)                                   \
    KILN_CPUID_FEATURE(WDT, "wdt", 0x80000001, 0, ECX, 13)                                         \
    KILN_CPUID_FEATURE(LWP, "lwp", 0x80000001, 0, ECX, 15)                                         \
    KILN_CPUID_FEATURE(FMA4, "fma4", 0x80000001, 0, ECX, 16)                                       \
    KILN_CPUID_FEATURE(TCE, "tce", 0x80000001, 0, ECX, 17)                                         \
    KILN_CPUID_FEATURE(CVT16, "cvt16", 0x80000001, 0, ECX, 18)                                     \
    KILN_CPUID_FEATURE(NODEID_MSR, "nodeid_msr", 0x80000001, 0, ECX, 19)                           \
    KILN_CPUID_FEATURE(TBM, "tbm", 0x80000001, 0, ECX, 21)                                         \
    KILN_CPUID_FEATURE(TOPOEXT, "topoext", 0x80000001, 0, ECX, 22)                                 \
    KILN_CPUID_FEATURE(PERFCTR_CORE, "perfctr_core", 0x80000001, 0, ECX, 23)                       \
    KILN_CPUID_FEATURE(PERFCTR_NB, "perfctr_nb", 0x80000001, 0, ECX, 24)                           \
    KILN_CPUID_FEATURE(SYSCALL, "syscall", 0x80000001, 0, EDX, 11)                                 \
    KILN_CPUID_FEATURE(NX, "nx", 0x80000001, 0, EDX, 20)                                           \
    KILN_CPUID_FEATURE(MMXEXT, "mmxext", 0x80000001, 0, EDX, 22)                                   \
    KILN_CPUID_FEATURE(FXSR_OPT, "fxsr_opt", 0x80000001, 0, EDX, 25)                               \
    KILN_CPUID_FEATURE(PDPE1GB, "pdpe1gb", 0x80000001, 0, EDX, 26)                                 \
    KILN_CPUID_FEATURE(RDTSCP, "rdtscp", 0x80000001, 0, EDX, 27)                                   \
    KILN_CPUID_FEATURE(LM, "lm", 0x80000001, 0, EDX, 29)                                           \
    KILN_CPUID_FEATURE(3DNOWEXT, "3dnowext", 0x80000001, 0, EDX, 30)                               \
    KILN_CPUID_FEATURE(3DNOW, "3dnow", 0x80000001, 0, EDX, 31)                                     \
    KILN_CPUID_FEATURE(INVTSC, "invtsc", 0x80000007, 0, EDX, 8)                                    \
    KILN_CPUID_FEATURE(CLZERO, "clzero", 0x80000008, 0, EBX, 0)                                    \
    KILN_CPUID_FEATURE(XSAVEERPTR, "xsaveerptr", 0x80000008, 0, EBX, 2)                            \
    KILN_CPUID_FEATURE(WBNOINVD, "wbnoinvd", 0x80000008, 0, EBX, 9)                                \
    KILN_CPUID_FEATURE(IBPB, "ibpb", 0x80000008, 0, EBX, 12)                                       \
    KILN_CPUID_FEATURE(IBRS, "ibrs", 0x80000008, 0, EBX, 14)                                       \
    KILN_CPUID_FEATURE(AMD_STIBP, "amd-stibp", 0x80000008, 0, EBX, 15)                             \
    KILN_CPUID_FEATURE(STIBP_ALWAYS_ON, "stibp-always-on", 0x80000008, 0, EBX, 17)                 \
    KILN_CPUID_FEATURE(AMD_SSBD, "amd-ssbd", 0x80000008, 0, EBX, 24)                               \
    KILN_CPUID_FEATURE(VIRT_SSBD, "virt-ssbd", 0x80000008, 0, EBX, 25)                             \
    KILN_CPUID_FEATURE(AMD_NO_SSB, "amd-no-ssb", 0x80000008, 0, EBX, 26)                           \
    KILN_CPUID_FEATURE(AMD_PSFD, "amd-psfd", 0x80000008, 0, EBX, 28)                               \
    KILN_CPUID_FEATURE(NPT, "npt", 0x8000000a, 0, EDX, 0)                                          \
    KILN_CPUID_FEATURE(LBRV, "lbrv", 0x8000000a, 0, EDX, 1)                                        \
    KILN_CPUID_FEATURE(SVM_LOCK, "svm-lock", 0x8000000a, 0, EDX, 2)                                \
    KILN_CPUID_FEATURE(NRIP_SAVE, "nrip-save", 0x8000000a, 0, EDX, 3)                              \
    KILN_CPUID_FEATURE(TSC_SCALE, "tsc-scale", 0x8000000a, 0, EDX, 4)                              \
    KILN_CPUID_FEATURE(VMCB_CLEAN, "vmcb-clean", 0x8000000a, 0, EDX, 5)                            \
    KILN_CPUID_FEATURE(FLUSHBYASID, "flushbyasid", 0x8000000a, 0, EDX, 6)                          \
    KILN_CPUID_FEATURE(DECODEASSISTS, "decodeassists", 0x8000000a, 0, EDX, 7)                      \
    KILN_CPUID_FEATURE(PAUSE_FILTER, "pause-filter", 0x8000000a, 0, EDX, 10)                       \
    KILN_CPUID_FEATURE(PFTHRESHOLD, "pfthreshold", 0x8000000a, 0, EDX, 12)                         \
    KILN_CPUID_FEATURE(AVIC, "avic", 0x8000000a, 0, EDX, 13)                                       \
    KILN_CPUID_FEATURE(V_VMSAVE_VMLOAD, "v-vmsave-vmload", 0x8000000a, 0, EDX, 15)                 \
    KILN_CPUID_FEATURE(VGIF, "vgif", 0x8000000a, 0, EDX, 16)                                       \
    KILN_CPUID_FEATURE(SVME_ADDR_CHK, "svme-addr-chk", 0x8000000a, 0, EDX, 28)                     \
    KILN_CPUID_FEATURE(NO_NESTED_DATA_BP, "no-nested-data-bp", 0x80000021, 0, EAX, 0)              \
    KILN_CPUID_FEATURE(LFENCE_ALWAYS_SERIALIZING, "lfence-always-serializing", 0x80000021, 0, EAX, \
                       2)                                                                          \
    KILN_CPUID_FEATURE(NULL_SEL_CLR_BASE, "null-sel-clr-base", 0x80000021, 0, EAX, 6)              \
    KILN_CPUID_FEATURE(AUTO_IBRS, "auto-ibrs", 0x80000021, 0, EAX, 8)                              \
    KILN_MSR_FEATURE(SPLIT_LOCK_DETECT, "split-lock-detect", 0xcf, 5)                              \
    KILN_MSR_FEATURE(RDCTL_NO, "rdctl-no", 0x10a, 0)                                               \
    KILN_MSR_FEATURE(IBRS_ALL, "ibrs-all", 0x10a, 1)                                               \
    KILN_MSR_FEATURE(RSBA, "rsba", 0x10a, 2)                                                       \
    KILN_MSR_FEATURE(SKIP_L1DFL_VMENTRY, "skip-l1dfl-vmentry", 0x10a, 3)                           \
    KILN_MSR_FEATURE(SSB_NO, "ssb-no", 0x10a, 4)                                                   \
    KILN_MSR_FEATURE(MDS_NO, "mds-no", 0x10a, 5)                                                   \
    KILN_MSR_FEATURE(PSCHANGE_MC_NO, "pschange-mc-no", 0x10a, 6)                                   \
    KILN_MSR_FEATURE(TSX_CTRL, "tsx-ctrl", 0x10a, 7)                                               \
    KILN_MSR_FEATURE(TAA_NO, "taa-no", 0x10a, 8)                                                   \
    KILN_MSR_FEATURE(SBDR_SSDP_NO, "sbdr-ssdp-no", 0x10a, 13)                                      \
    KILN_MSR_FEATURE(FBSDP_NO, "fbsdp-no", 0x10a, 14)                                              \
    KILN_MSR_FEATURE(PSDP_NO, "psdp-no", 0x10a, 15)                                                \
    KILN_MSR_FEATURE(GDS_NO, "gds-no", 0x10a, 26)                                                  \
    KILN_MSR_FEATURE(RFDS_NO, "rfds-no", 0x10a, 27)
/* clang-format on */

#define KILN_CPU_FEATURE_CPUID_ID_(id, name, leaf, subleaf, reg, bit) KILN_CPU_##id,
#define KILN_CPU_FEATURE_MSR_ID_(id, name, msr, bit)                  KILN_CPU_##id,

typedef enum {
    KILN_CPU_FEATURES(KILN_CPU_FEATURE_CPUID_ID_, KILN_CPU_FEATURE_MSR_ID_) KILN_CPU_N_FEATURES,
} KilnCpuFeatureId;

typedef enum { KILN_CPUID_EAX, KILN_CPUID_EBX, KILN_CPUID_ECX, KILN_CPUID_EDX } KilnCpuidRegister;

typedef struct {
    const char *name;
    uint32_t leaf; /* of CPUID, if @msr is 0 */
    uint32_t subleaf;
    uint32_t msr; /* number of the MSR that has the bit; 0: it is in CPUID */
    uint8_t reg;  /* a KilnCpuidRegister */
    uint8_t bit;
} KilnCpuFeature;

enum { KILN_CPU_MSR_ARCH_CAPABILITIES = 0x10a };

/* A set of features.  All zero is the empty set. */
typedef struct {
    uint64_t words[(KILN_CPU_N_FEATURES + 63) / 64];
} KilnCpuFeatureSet;

static inline gboolean
kiln_cpu_set_has(const KilnCpuFeatureSet *set, KilnCpuFeatureId id)
{
    return (set->words[id / 64] >> id % 64 & 1) != 0;
}

static inline void
kiln_cpu_set_put(KilnCpuFeatureSet *set, KilnCpuFeatureId id, gboolean on)
{
    uint64_t bit = G_GUINT64_CONSTANT(1) << id % 64;

    set->words[id / 64] = on ? set->words[id / 64] | bit : set->words[id / 64] & ~bit;
}

/* The row of the table for @id. */
const KilnCpuFeature *kiln_cpu_feature(KilnCpuFeatureId id);

/**
 * kiln_cpu_feature_find:
 * @name: libvirt's name or QEMU's; '-', '_' and '.' are the same
 *
 * Returns: its id, or -1 if there is no feature of that name.
 */
int kiln_cpu_feature_find(const char *name);

/**
 * kiln_cpu_features_of:
 * @arch_capabilities: the value of MSR 0x10a, 0 if there is none
 * @set: (out): the features that @cpuid and @arch_capabilities have
 */
void kiln_cpu_features_of(const struct kvm_cpuid2 *cpuid, uint64_t arch_capabilities,
                          KilnCpuFeatureSet *set);

/* The entry of a leaf, for any subleaf if the leaf has none; NULL if there is no such entry. */
struct kvm_cpuid_entry2 *kiln_cpuid_entry(struct kvm_cpuid2 *cpuid, uint32_t leaf,
                                          uint32_t subleaf);

/* The register of @entry that @reg names. */
uint32_t *kiln_cpuid_register(struct kvm_cpuid_entry2 *entry, KilnCpuidRegister reg);

#endif
