/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Typed parameters: what is built is what goes over the wire; what comes is held against rules. */
#include "rpc/params.h"

#include "error/vir-error.h"
#include "tests/lib/kiln-test.h"

#include <string.h>

static const KilnParamRule rules[] = {
    { "weight", VIR_TYPED_PARAM_UINT, FALSE },
    { "limit", VIR_TYPED_PARAM_ULLONG, FALSE },
    { "name", VIR_TYPED_PARAM_STRING, TRUE },
    { NULL, 0, FALSE },
};

/* Encodes and decodes. */
START_TEST(round_trip)
{
    g_auto(KilnParams) params;
    remote_domain_get_memory_parameters_ret ret = { 0 };
    remote_domain_get_memory_parameters_ret back = { 0 };
    char wire[1024];
    XDR xdr;

    kiln_params_init(&params);
    kiln_params_add_int(&params, "i", -5);
    kiln_params_add_uint(&params, "u", G_MAXUINT32);
    kiln_params_add_llong(&params, "l", G_MININT64);
    kiln_params_add_ullong(&params, "ul", G_MAXUINT64);
    kiln_params_add_double(&params, "d", 0.5);
    kiln_params_add_boolean(&params, "b", TRUE);
    kiln_params_add_string(&params, "s", "text");
    kiln_params_add_string(&params, "none", NULL);
    ret.params.params_len = params.n;
    ret.params.params_val = params.values;
    xdrmem_create(&xdr, wire, sizeof wire, XDR_ENCODE);
    ck_assert(xdr_remote_domain_get_memory_parameters_ret(&xdr, &ret));
    xdrmem_create(&xdr, wire, sizeof wire, XDR_DECODE);
    ck_assert(xdr_remote_domain_get_memory_parameters_ret(&xdr, &back));
    ck_assert_uint_eq(back.params.params_len, 8);
    ck_assert_int_eq(back.params.params_val[0].value.remote_typed_param_value_u.i, -5);
    ck_assert_uint_eq(back.params.params_val[1].value.remote_typed_param_value_u.ui, G_MAXUINT32);
    ck_assert_int_eq(back.params.params_val[2].value.remote_typed_param_value_u.l, G_MININT64);
    ck_assert(back.params.params_val[3].value.remote_typed_param_value_u.ul == G_MAXUINT64);
    ck_assert(back.params.params_val[4].value.remote_typed_param_value_u.d == 0.5);
    ck_assert_int_eq(back.params.params_val[5].value.remote_typed_param_value_u.b, 1);
    ck_assert_str_eq(back.params.params_val[6].value.remote_typed_param_value_u.s, "text");
    ck_assert_str_eq(back.params.params_val[7].value.remote_typed_param_value_u.s, "");
    xdr_free((xdrproc_t)xdr_remote_domain_get_memory_parameters_ret, (char *)&back);
}
END_TEST

START_TEST(a_list_grows)
{
    g_auto(KilnParams) params;

    kiln_params_init(&params);
    for (guint i = 0; i < 1000; i++)
        kiln_params_add_uint(&params, "n", i);
    ck_assert_uint_eq(params.n, 1000);
    ck_assert_uint_eq(params.values[999].value.remote_typed_param_value_u.ui, 999);
}
END_TEST

START_TEST(what_has_a_rule_is_taken)
{
    g_auto(KilnParams) params;
    g_autoptr(GError) error = NULL;

    kiln_params_init(&params);
    kiln_params_add_uint(&params, "weight", 1);
    kiln_params_add_string(&params, "name", "a");
    kiln_params_add_string(&params, "name", "b");
    ck_assert(kiln_params_check(params.values, params.n, rules, &error));
    kiln_assert_no_error(error);
}
END_TEST

static void
refused(KilnParams *params, int code, const char *text)
{
    g_autoptr(GError) error = NULL;

    ck_assert(!kiln_params_check(params->values, params->n, rules, &error));
    ck_assert(error->domain == KILN_VIR_ERROR);
    ck_assert_int_eq(error->code, code);
    kiln_assert_error_has(error, text);
}

START_TEST(what_has_none_is_refused)
{
    g_auto(KilnParams) params;

    kiln_params_init(&params);
    kiln_params_add_uint(&params, "height", 1);
    refused(&params, VIR_ERR_ARGUMENT_UNSUPPORTED, "parameter 'height' not supported");
}
END_TEST

START_TEST(wrong_type_is_refused)
{
    g_auto(KilnParams) params;

    kiln_params_init(&params);
    kiln_params_add_int(&params, "weight", 1);
    refused(&params, VIR_ERR_INVALID_ARG,
            "invalid type 'int' for parameter 'weight', expected 'uint'");
}
END_TEST

START_TEST(twice_is_refused)
{
    g_auto(KilnParams) params;

    kiln_params_init(&params);
    kiln_params_add_uint(&params, "weight", 1);
    kiln_params_add_uint(&params, "weight", 1);
    refused(&params, VIR_ERR_INVALID_ARG, "parameter 'weight' occurs multiple times");
}
END_TEST

START_TEST(unsigned_of_any_integer)
{
    g_auto(KilnParams) params;
    guint64 value = 7;

    kiln_params_init(&params);
    kiln_params_add_int(&params, "i", 3);
    kiln_params_add_int(&params, "negative", -3);
    kiln_params_add_llong(&params, "negative long", -3);
    kiln_params_add_uint(&params, "u", 4);
    kiln_params_add_llong(&params, "l", 5);
    kiln_params_add_ullong(&params, "ul", G_MAXUINT64);
    kiln_params_add_double(&params, "d", 1);
    ck_assert(!kiln_params_get_unsigned(params.values, params.n, "absent", &value));
    ck_assert(!kiln_params_get_unsigned(params.values, params.n, "negative", &value));
    ck_assert(!kiln_params_get_unsigned(params.values, params.n, "negative long", &value));
    ck_assert(!kiln_params_get_unsigned(params.values, params.n, "d", &value));
    ck_assert_uint_eq(value, 7);
    ck_assert(kiln_params_get_unsigned(params.values, params.n, "i", &value) && value == 3);
    ck_assert(kiln_params_get_unsigned(params.values, params.n, "u", &value) && value == 4);
    ck_assert(kiln_params_get_unsigned(params.values, params.n, "l", &value) && value == 5);
    ck_assert(kiln_params_get_unsigned(params.values, params.n, "ul", &value) &&
              value == G_MAXUINT64);
}
END_TEST

static Suite *
params_suite(void)
{
    Suite *suite = suite_create("rpc/params");
    TCase *tests = kiln_test_case(suite, "params");

    tcase_add_test(tests, round_trip);
    tcase_add_test(tests, a_list_grows);
    tcase_add_test(tests, what_has_a_rule_is_taken);
    tcase_add_test(tests, what_has_none_is_refused);
    tcase_add_test(tests, wrong_type_is_refused);
    tcase_add_test(tests, twice_is_refused);
    tcase_add_test(tests, unsigned_of_any_integer);
    return suite;
}

KILN_TEST_MAIN(params_suite)
