/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "caps/cpu-definition.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "caps/host-cpu.h"
#include "domain/xml.h"
#include "error/vir-error.h"

/* ---- Reading --------------------------------------------------------------------------------- */

static int
index_of(const char *const *names, gsize n, const char *value)
{
    for (gsize i = 0; i < n; i++)
        if (g_strcmp0(names[i], value) == 0)
            return (int)i;
    return -1;
}

/* @value is absent (and @out stays) or one of @names, which are in the order of its type. */
static gboolean
read_word(const char *what, const char *value, const char *const *names, gsize n, int *out,
          GError **error)
{
    int index = value != NULL ? index_of(names, n, value) : *out;

    if (index < 0)
        return kiln_vir_error_set(error, VIR_ERR_XML_ERROR, "Invalid %s '%s' of a CPU", what,
                                  value);
    *out = index;
    return TRUE;
}

static gboolean
read_mode(KilnCpuDefinition *cpu, KilnXmlNode *node, GError **error)
{
    static const char *const modes[] = { "host-passthrough", "host-model", "maximum", "custom" };
    static const char *const matches[] = { "exact", "minimum", "strict" };
    int mode = KILN_CPU_CUSTOM, match = KILN_CPU_MATCH_EXACT;

    if (!read_word("mode", kiln_xml_take_attribute(node, "mode"), modes, G_N_ELEMENTS(modes), &mode,
                   error) ||
        !read_word("match", kiln_xml_take_attribute(node, "match"), matches, G_N_ELEMENTS(matches),
                   &match, error))
        return FALSE;
    cpu->mode = (KilnCpuMode)mode;
    cpu->match = (KilnCpuMatch)match;
    return TRUE;
}

static gboolean
read_feature(KilnCpuDefinition *cpu, KilnXmlNode *node, GError **error)
{
    static const char *const policies[] = { "force", "require", "optional", "disable", "forbid" };
    const char *name = kiln_xml_take_attribute(node, "name");
    int id = name != NULL ? kiln_cpu_feature_find(name) : -1;
    int policy = KILN_CPU_REQUIRE;
    KilnCpuFeatureChoice choice;

    if (name == NULL)
        return kiln_vir_error_set(error, VIR_ERR_XML_ERROR, "Invalid CPU feature name");
    if (!read_word("feature policy", kiln_xml_take_attribute(node, "policy"), policies,
                   G_N_ELEMENTS(policies), &policy, error))
        return FALSE;
    if (id < 0)
        return kiln_vir_error_set(error, VIR_ERR_INTERNAL_ERROR, "Unknown CPU feature %s", name);
    choice = (KilnCpuFeatureChoice){ .name = kiln_cpu_feature((KilnCpuFeatureId)id)->name,
                                     .policy = (KilnCpuPolicy)policy };
    for (guint i = 0; i < cpu->features->len; i++)
        if (strcmp(g_array_index(cpu->features, KilnCpuFeatureChoice, i).name, choice.name) == 0)
            return kiln_vir_error_set(error, VIR_ERR_XML_ERROR,
                                      "CPU feature '%s' specified more than once", name);
    g_array_append_val(cpu->features, choice);
    return TRUE;
}

static gboolean
read_model(KilnCpuDefinition *cpu, KilnXmlNode *node, GError **error)
{
    const char *name = kiln_xml_take_text(node);

    if (cpu->mode == KILN_CPU_HOST_PASSTHROUGH || cpu->mode == KILN_CPU_MAXIMUM)
        return TRUE; /* libvirt tells there what it was once */
    cpu->model = kiln_cpu_model_find(name);
    return cpu->model != NULL ||
           kiln_vir_error_set(error, VIR_ERR_INTERNAL_ERROR, "Unknown CPU model %s", name);
}

static gboolean
read_arch(KilnXmlNode *node, GError **error)
{
    const char *arch = kiln_xml_take_text(node);

    return strcmp(arch, "x86_64") == 0 || strcmp(arch, "i686") == 0 ||
           kiln_vir_error_set(error, VIR_ERR_CONFIG_UNSUPPORTED,
                              "CPU arch %s does not match host arch", arch);
}

static gboolean
read_child(KilnCpuDefinition *cpu, KilnXmlNode *node, gboolean strict, GError **error)
{
    static const char *const without_effect[] = { "microcode", "signature",   "counter", "topology",
                                                  "cache",     "maxphysaddr", "numa",    "pages",
                                                  "features",  NULL };

    if (node->ns != NULL)
        return TRUE;
    if (strcmp(node->name, "arch") == 0)
        return read_arch(node, error);
    if (strcmp(node->name, "model") == 0)
        return read_model(cpu, node, error);
    if (strcmp(node->name, "feature") == 0)
        return read_feature(cpu, node, error);
    if (strcmp(node->name, "vendor") == 0) {
        g_free(cpu->vendor);
        cpu->vendor = g_strdup(kiln_xml_take_text(node));
        return TRUE;
    }
    return !strict || g_strv_contains(without_effect, node->name) ||
           kiln_vir_error_set(error, VIR_ERR_XML_INVALID_SCHEMA, "element '%s' is not of a <cpu>",
                              node->name);
}

static KilnXmlNode *
parse_text(const char *xml, GError **error)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    KilnXmlNode *root = kiln_xml_parse(xml, strlen(xml), faults);

    if (root != NULL && root->ns == NULL && strcmp(root->name, "cpu") == 0)
        return root;
    if (root != NULL)
        (void)kiln_vir_error_set(error, VIR_ERR_XML_ERROR,
                                 "unexpected root element <%s>, expecting <cpu>", root->name);
    else
        (void)kiln_vir_error_set(error, VIR_ERR_XML_ERROR, "the CPU's document is not well-formed");
    kiln_xml_node_free(root);
    return NULL;
}

KilnCpuDefinition *
kiln_cpu_definition_parse(const char *xml, gboolean strict, GError **error)
{
    g_autoptr(KilnXmlNode) root = parse_text(xml, error);
    g_autoptr(KilnCpuDefinition) cpu = NULL;

    if (root == NULL)
        return NULL;
    cpu = g_new0(KilnCpuDefinition, 1);
    cpu->features = g_array_new(FALSE, FALSE, sizeof(KilnCpuFeatureChoice));
    if (!read_mode(cpu, root, error))
        return NULL;
    for (guint i = 0; i < root->children->len; i++)
        if (!read_child(cpu, g_ptr_array_index(root->children, i), strict, error))
            return NULL;
    if (cpu->mode == KILN_CPU_CUSTOM && cpu->model == NULL) {
        (void)kiln_vir_error_set(error, VIR_ERR_XML_ERROR, "Missing CPU model name");
        return NULL;
    }
    return g_steal_pointer(&cpu);
}

void
kiln_cpu_definition_free(KilnCpuDefinition *cpu)
{
    if (cpu == NULL)
        return;
    g_free(cpu->vendor);
    g_array_unref(cpu->features);
    g_free(cpu);
}

/* ---- Sets ------------------------------------------------------------------------------------ */

static KilnCpuFeatureSet
without(const KilnCpuFeatureSet *a, const KilnCpuFeatureSet *b)
{
    KilnCpuFeatureSet result;

    for (gsize i = 0; i < G_N_ELEMENTS(a->words); i++)
        result.words[i] = a->words[i] & ~b->words[i];
    return result;
}

/* "a,b,c", or NULL for none */
static char *
names_of(const KilnCpuFeatureSet *set)
{
    GString *text = g_string_new(NULL);

    for (int i = 0; i < KILN_CPU_N_FEATURES; i++)
        if (kiln_cpu_set_has(set, i))
            g_string_append_printf(text, "%s%s", text->len > 0 ? "," : "",
                                   kiln_cpu_feature(i)->name);
    return g_string_free(text, text->len == 0);
}

/* What the definition asks for: @host is what a mode that follows the host means. */
static KilnCpuFeatureSet
features_of(const KilnCpuDefinition *cpu, const KilnCpuFeatureSet *host)
{
    KilnCpuFeatureSet set = *host;

    if (cpu->model != NULL)
        kiln_cpu_model_features(cpu->model, &set);
    for (guint i = 0; i < cpu->features->len; i++) {
        const KilnCpuFeatureChoice *choice = &g_array_index(cpu->features, KilnCpuFeatureChoice, i);

        kiln_cpu_set_put(&set, (KilnCpuFeatureId)kiln_cpu_feature_find(choice->name),
                         choice->policy == KILN_CPU_REQUIRE || choice->policy == KILN_CPU_FORCE);
    }
    return set;
}

/* Those of @policy, or those that any policy is given for. */
static KilnCpuFeatureSet
chosen(const KilnCpuDefinition *cpu, int policy)
{
    KilnCpuFeatureSet set = { 0 };

    for (guint i = 0; i < cpu->features->len; i++) {
        const KilnCpuFeatureChoice *choice = &g_array_index(cpu->features, KilnCpuFeatureChoice, i);

        if (policy < 0 || choice->policy == (KilnCpuPolicy)policy)
            kiln_cpu_set_put(&set, (KilnCpuFeatureId)kiln_cpu_feature_find(choice->name), TRUE);
    }
    return set;
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static int
incompatible(char **message, const char *what, char *names)
{
    *message = names != NULL ? g_strdup_printf("%s: %s", what, names) : g_strdup(what);
    g_free(names);
    return VIR_CPU_COMPARE_INCOMPATIBLE;
}

/* As libvirt compares: what must be there, what must not, what else there is. */
static int
compare_sets(const KilnCpuDefinition *cpu, const KilnCpuFeatureSet *host, char **message)
{
    KilnCpuFeatureSet wanted = features_of(cpu, host);
    KilnCpuFeatureSet forced = chosen(cpu, KILN_CPU_FORCE),
                      forbidden = chosen(cpu, KILN_CPU_FORBID);
    KilnCpuFeatureSet required = without(&wanted, &forced), all = chosen(cpu, -1);
    KilnCpuFeatureSet missing = without(&required, host), extra;
    KilnCpuFeatureSet allowed = without(&forbidden, host);
    KilnCpuFeatureSet clash = without(&forbidden, &allowed);
    char *names = names_of(&clash);

    if (names != NULL)
        return incompatible(message, "Host CPU provides forbidden features", names);
    names = names_of(&missing);
    if (names != NULL)
        return incompatible(message, "Host CPU does not provide required features", names);
    extra = without(host, &wanted);
    extra = without(&extra, &all);
    names = names_of(&extra);
    if (names == NULL)
        return VIR_CPU_COMPARE_IDENTICAL;
    if (cpu->match == KILN_CPU_MATCH_STRICT)
        return incompatible(message, "Host CPU does not strictly match guest CPU: Extra features",
                            names);
    g_free(names);
    return VIR_CPU_COMPARE_SUPERSET;
}

/* A guest's start decides: what it would be refused for is what makes the CPUs incompatible. */
static int
compare_start(const KilnCpuDefinition *cpu, const KilnHostKvm *kvm, char **message)
{
    const KilnCpuOptions options = {
        .mode = cpu->mode,
        .match = cpu->match,
        .model = cpu->model != NULL ? cpu->model->name : NULL,
        .features = (const KilnCpuFeatureChoice *)(const void *)cpu->features->data,
        .n_features = cpu->features->len,
        .not_migratable = TRUE,
        .pmu = TRUE,
        .arch_capabilities = kvm->arch_capabilities,
        .topology = { 1, 1, 1, 1 },
    };
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnCpuid) guest = kiln_cpuid_new(kvm->supported, &options, &error);

    if (guest == NULL)
        return incompatible(message, error->message, NULL);
    for (int i = 0; i < KILN_CPU_N_FEATURES; i++)
        if (kiln_cpu_set_has(&kvm->identity.features, i) &&
            !kiln_cpuid_has(guest, kiln_cpu_feature(i)->name))
            return VIR_CPU_COMPARE_SUPERSET;
    return VIR_CPU_COMPARE_IDENTICAL;
}

int
kiln_cpu_compare(const KilnCpuDefinition *cpu, gboolean hypervisor, char **message, GError **error)
{
    const KilnHostKvm *kvm = hypervisor ? kiln_host_kvm(error) : NULL;
    const KilnHostCpuid *host = kvm != NULL ? &kvm->identity : kiln_host_cpuid();

    *message = NULL;
    if (hypervisor && kvm == NULL)
        return VIR_CPU_COMPARE_ERROR;
    if (cpu->vendor != NULL && g_strcmp0(cpu->vendor, host->vendor) != 0) {
        *message =
            g_strdup_printf("host CPU vendor does not match required CPU vendor %s", cpu->vendor);
        return VIR_CPU_COMPARE_INCOMPATIBLE;
    }
    return kvm != NULL ? compare_start(cpu, kvm, message)
                       : compare_sets(cpu, &host->features, message);
}

/* ---- What several have in common ------------------------------------------------------------- */

typedef struct {
    KilnCpuFeatureSet features;
    char *vendor;           /* (owned) (nullable) */
    gboolean tells_vendor;  /* all of them do */
    const char *only_model; /* (nullable): that of all of them */
} Baseline;

static gboolean
join_vendor(Baseline *base, const KilnCpuDefinition *cpu, GError **error)
{
    const char *of_model = cpu->model != NULL && cpu->model->vendor != NULL
                               ? kiln_cpu_vendor_name(cpu->model->vendor)
                               : NULL;
    const char *vendor = cpu->vendor != NULL ? cpu->vendor : of_model;

    if (cpu->vendor != NULL && of_model != NULL && strcmp(cpu->vendor, of_model) != 0)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_FAILED,
                                  "CPU vendor %s of model %s differs from vendor %s", of_model,
                                  cpu->model->name, cpu->vendor);
    base->tells_vendor = base->tells_vendor && cpu->vendor != NULL;
    if (vendor == NULL)
        return TRUE;
    if (base->vendor == NULL)
        base->vendor = g_strdup(vendor);
    return strcmp(base->vendor, vendor) == 0 ||
           kiln_vir_error_set(error, VIR_ERR_OPERATION_FAILED, "CPU vendors do not match");
}

static gboolean
join(Baseline *base, const KilnCpuDefinition *cpu, gboolean first, guint index, GError **error)
{
    KilnCpuFeatureSet none = { 0 }, set;

    if (cpu->model == NULL)
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG, "no CPU model specified at index %u",
                                  index);
    set = features_of(cpu, &none);
    for (gsize i = 0; i < G_N_ELEMENTS(set.words); i++)
        base->features.words[i] = first ? set.words[i] : base->features.words[i] & set.words[i];
    if (first)
        base->only_model = cpu->model->name;
    else if (g_strcmp0(base->only_model, cpu->model->name) != 0)
        base->only_model = NULL;
    return join_vendor(base, cpu, error);
}

static void
format_feature(KilnXmlWriter *xml, int id)
{
    kiln_xml_start(xml, "feature");
    kiln_xml_attribute(xml, "policy", "require");
    kiln_xml_attribute(xml, "name", kiln_cpu_feature((KilnCpuFeatureId)id)->name);
    kiln_xml_end(xml);
}

static char *
format(const Baseline *base, const KilnCpuModel *model, gboolean forbid, gboolean expand)
{
    g_autoptr(KilnXmlWriter) xml = kiln_xml_writer_new();
    KilnCpuFeatureSet of_model;

    kiln_cpu_model_features(model, &of_model);
    kiln_xml_start(xml, "cpu");
    kiln_xml_attribute(xml, "mode", "custom");
    kiln_xml_attribute(xml, "match", "exact");
    kiln_xml_start(xml, "model");
    kiln_xml_attribute(xml, "fallback", forbid ? "forbid" : "allow");
    kiln_xml_text(xml, model->name);
    kiln_xml_end(xml);
    if (base->tells_vendor)
        kiln_xml_text_element(xml, "vendor", base->vendor);
    for (int i = 0; i < KILN_CPU_N_FEATURES; i++)
        if (kiln_cpu_set_has(&base->features, i) && (expand || !kiln_cpu_set_has(&of_model, i)))
            format_feature(xml, i);
    kiln_xml_end(xml);
    return kiln_xml_writer_finish(xml);
}

/* What KVM gives bounds the features; a model may have more where a guest of it starts anyhow. */
static const char **
usable_models(const KilnHostKvm *kvm)
{
    guint n, at = 0;
    const KilnCpuModel *models = kiln_cpu_models(&n);
    const char **names = g_new0(const char *, n + 1);

    for (guint i = 0; i < n; i++)
        if (kvm->usable[i])
            names[at++] = models[i].name;
    return names;
}

static char *
reduce(Baseline *base, const KilnHostKvm *kvm, guint flags, GError **error)
{
    g_autofree const char **allowed = kvm != NULL ? usable_models(kvm) : NULL;
    const KilnCpuModel *model;

    for (gsize i = 0; kvm != NULL && i < G_N_ELEMENTS(base->features.words); i++)
        base->features.words[i] &= kvm->identity.features.words[i];
    if ((flags & VIR_CONNECT_BASELINE_CPU_MIGRATABLE) != 0)
        kiln_cpu_set_put(&base->features, KILN_CPU_INVTSC, FALSE);
    model = kiln_cpu_nearest(base->vendor, 0, 0, &base->features, allowed);
    if (model == NULL) {
        (void)kiln_vir_error_set(error, VIR_ERR_OPERATION_FAILED, "CPUs are incompatible");
        return NULL;
    }
    return format(base, model, kvm != NULL || g_strcmp0(base->only_model, model->name) == 0,
                  (flags & VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES) != 0);
}

char *
kiln_cpu_baseline(char *const *documents, guint n, gboolean hypervisor, guint flags, GError **error)
{
    const KilnHostKvm *kvm = hypervisor ? kiln_host_kvm(error) : NULL;
    Baseline base = { .tells_vendor = TRUE };
    char *text = NULL;
    gboolean good = n > 0;

    if (hypervisor && kvm == NULL)
        return NULL;
    if (!good)
        (void)kiln_vir_error_set(error, VIR_ERR_INVALID_ARG, "no CPUs given");
    for (guint i = 0; good && i < n; i++) {
        g_autoptr(KilnCpuDefinition) cpu = kiln_cpu_definition_parse(documents[i], FALSE, error);

        good = cpu != NULL && join(&base, cpu, i == 0, i, error);
    }
    if (good)
        text = reduce(&base, kvm, flags, error);
    g_free(base.vendor);
    return text;
}
