/* Functions of the library, by file; cel_library.c names them in its table. Arguments are never
 * failures; their number is that of the table's row. */
#ifndef POLICY_CEL_LIB_H
#define POLICY_CEL_LIB_H

#include "policy/cel_vm.h"

/* cel_lib_core.c */
struct cel_value policy_cel_fn_add(const struct cel_args *in);
struct cel_value policy_cel_fn_sub(const struct cel_args *in);
struct cel_value policy_cel_fn_mul(const struct cel_args *in);
struct cel_value policy_cel_fn_div(const struct cel_args *in);
struct cel_value policy_cel_fn_mod(const struct cel_args *in);
struct cel_value policy_cel_fn_neg(const struct cel_args *in);
struct cel_value policy_cel_fn_not(const struct cel_args *in);
struct cel_value policy_cel_fn_lt(const struct cel_args *in);
struct cel_value policy_cel_fn_le(const struct cel_args *in);
struct cel_value policy_cel_fn_gt(const struct cel_args *in);
struct cel_value policy_cel_fn_ge(const struct cel_args *in);
struct cel_value policy_cel_fn_eq(const struct cel_args *in);
struct cel_value policy_cel_fn_ne(const struct cel_args *in);
struct cel_value policy_cel_fn_in(const struct cel_args *in);
struct cel_value policy_cel_fn_size(const struct cel_args *in);
struct cel_value policy_cel_fn_type(const struct cel_args *in);
struct cel_value policy_cel_fn_dyn(const struct cel_args *in);

/* cel_lib_convert.c */
struct cel_value policy_cel_fn_to_bool(const struct cel_args *in);
struct cel_value policy_cel_fn_to_int(const struct cel_args *in);
struct cel_value policy_cel_fn_to_uint(const struct cel_args *in);
struct cel_value policy_cel_fn_to_double(const struct cel_args *in);
struct cel_value policy_cel_fn_to_string(const struct cel_args *in);
struct cel_value policy_cel_fn_to_bytes(const struct cel_args *in);
struct cel_value policy_cel_fn_to_duration(const struct cel_args *in);
struct cel_value policy_cel_fn_to_timestamp(const struct cel_args *in);

/* cel_lib_text.c */
struct cel_value policy_cel_fn_contains(const struct cel_args *in);
struct cel_value policy_cel_fn_starts_with(const struct cel_args *in);
struct cel_value policy_cel_fn_ends_with(const struct cel_args *in);
struct cel_value policy_cel_fn_matches(const struct cel_args *in);
struct cel_value policy_cel_fn_char_at(const struct cel_args *in);
struct cel_value policy_cel_fn_index_of(const struct cel_args *in);
struct cel_value policy_cel_fn_last_index_of(const struct cel_args *in);
struct cel_value policy_cel_fn_substring(const struct cel_args *in);
struct cel_value policy_cel_fn_lower(const struct cel_args *in);
struct cel_value policy_cel_fn_upper(const struct cel_args *in);
struct cel_value policy_cel_fn_trim(const struct cel_args *in);
struct cel_value policy_cel_fn_reverse(const struct cel_args *in);

/* cel_lib_text_make.c */
struct cel_value policy_cel_fn_replace(const struct cel_args *in);
struct cel_value policy_cel_fn_split(const struct cel_args *in);
struct cel_value policy_cel_fn_join(const struct cel_args *in);
struct cel_value policy_cel_fn_quote(const struct cel_args *in);
struct cel_value policy_cel_fn_base64_encode(const struct cel_args *in);
struct cel_value policy_cel_fn_base64_decode(const struct cel_args *in);

/* cel_lib_format.c */
struct cel_value policy_cel_fn_format(const struct cel_args *in);

/* cel_lib_math.c */
struct cel_value policy_cel_fn_greatest(const struct cel_args *in);
struct cel_value policy_cel_fn_least(const struct cel_args *in);
struct cel_value policy_cel_fn_ceil(const struct cel_args *in);
struct cel_value policy_cel_fn_floor(const struct cel_args *in);
struct cel_value policy_cel_fn_round(const struct cel_args *in);
struct cel_value policy_cel_fn_trunc(const struct cel_args *in);
struct cel_value policy_cel_fn_sqrt(const struct cel_args *in);
struct cel_value policy_cel_fn_abs(const struct cel_args *in);
struct cel_value policy_cel_fn_sign(const struct cel_args *in);
struct cel_value policy_cel_fn_is_nan(const struct cel_args *in);
struct cel_value policy_cel_fn_is_inf(const struct cel_args *in);
struct cel_value policy_cel_fn_is_finite(const struct cel_args *in);
struct cel_value policy_cel_fn_bit_and(const struct cel_args *in);
struct cel_value policy_cel_fn_bit_or(const struct cel_args *in);
struct cel_value policy_cel_fn_bit_xor(const struct cel_args *in);
struct cel_value policy_cel_fn_bit_not(const struct cel_args *in);
struct cel_value policy_cel_fn_shift_left(const struct cel_args *in);
struct cel_value policy_cel_fn_shift_right(const struct cel_args *in);

/* cel_lib_time.c */
struct cel_value policy_cel_fn_full_year(const struct cel_args *in);
struct cel_value policy_cel_fn_month(const struct cel_args *in);
struct cel_value policy_cel_fn_date(const struct cel_args *in);
struct cel_value policy_cel_fn_day_of_month(const struct cel_args *in);
struct cel_value policy_cel_fn_day_of_week(const struct cel_args *in);
struct cel_value policy_cel_fn_day_of_year(const struct cel_args *in);
struct cel_value policy_cel_fn_hours(const struct cel_args *in);
struct cel_value policy_cel_fn_minutes(const struct cel_args *in);
struct cel_value policy_cel_fn_seconds(const struct cel_args *in);
struct cel_value policy_cel_fn_milliseconds(const struct cel_args *in);

/* cel_lib_optional.c */
struct cel_value policy_cel_fn_optional_none(const struct cel_args *in);
struct cel_value policy_cel_fn_optional_of(const struct cel_args *in);
struct cel_value policy_cel_fn_optional_of_non_zero(const struct cel_args *in);
struct cel_value policy_cel_fn_has_value(const struct cel_args *in);
struct cel_value policy_cel_fn_value(const struct cel_args *in);
struct cel_value policy_cel_fn_unwrap(const struct cel_args *in);
struct cel_value policy_cel_fn_first(const struct cel_args *in);
struct cel_value policy_cel_fn_last(const struct cel_args *in);

#endif
