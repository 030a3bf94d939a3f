//! SQLSTATE constants, generated from PostgreSQL 18's errcodes by `cargo xtask codegen`; do not edit.

use crate::error::SqlState;

/// `00000` successful_completion.
pub const SUCCESSFUL_COMPLETION: SqlState = SqlState::new(*b"00000");
/// `01000` warning.
pub const WARNING: SqlState = SqlState::new(*b"01000");
/// `0100C` dynamic_result_sets_returned.
pub const WARNING_DYNAMIC_RESULT_SETS_RETURNED: SqlState = SqlState::new(*b"0100C");
/// `01008` implicit_zero_bit_padding.
pub const WARNING_IMPLICIT_ZERO_BIT_PADDING: SqlState = SqlState::new(*b"01008");
/// `01003` null_value_eliminated_in_set_function.
pub const WARNING_NULL_VALUE_ELIMINATED_IN_SET_FUNCTION: SqlState = SqlState::new(*b"01003");
/// `01007` privilege_not_granted.
pub const WARNING_PRIVILEGE_NOT_GRANTED: SqlState = SqlState::new(*b"01007");
/// `01006` privilege_not_revoked.
pub const WARNING_PRIVILEGE_NOT_REVOKED: SqlState = SqlState::new(*b"01006");
/// `01004` string_data_right_truncation.
pub const WARNING_STRING_DATA_RIGHT_TRUNCATION: SqlState = SqlState::new(*b"01004");
/// `01P01` deprecated_feature.
pub const WARNING_DEPRECATED_FEATURE: SqlState = SqlState::new(*b"01P01");
/// `02000` no_data.
pub const NO_DATA: SqlState = SqlState::new(*b"02000");
/// `02001` no_additional_dynamic_result_sets_returned.
pub const NO_ADDITIONAL_DYNAMIC_RESULT_SETS_RETURNED: SqlState = SqlState::new(*b"02001");
/// `03000` sql_statement_not_yet_complete.
pub const SQL_STATEMENT_NOT_YET_COMPLETE: SqlState = SqlState::new(*b"03000");
/// `08000` connection_exception.
pub const CONNECTION_EXCEPTION: SqlState = SqlState::new(*b"08000");
/// `08003` connection_does_not_exist.
pub const CONNECTION_DOES_NOT_EXIST: SqlState = SqlState::new(*b"08003");
/// `08006` connection_failure.
pub const CONNECTION_FAILURE: SqlState = SqlState::new(*b"08006");
/// `08001` sqlclient_unable_to_establish_sqlconnection.
pub const SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION: SqlState = SqlState::new(*b"08001");
/// `08004` sqlserver_rejected_establishment_of_sqlconnection.
pub const SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION: SqlState = SqlState::new(*b"08004");
/// `08007` transaction_resolution_unknown.
pub const TRANSACTION_RESOLUTION_UNKNOWN: SqlState = SqlState::new(*b"08007");
/// `08P01` protocol_violation.
pub const PROTOCOL_VIOLATION: SqlState = SqlState::new(*b"08P01");
/// `09000` triggered_action_exception.
pub const TRIGGERED_ACTION_EXCEPTION: SqlState = SqlState::new(*b"09000");
/// `0A000` feature_not_supported.
pub const FEATURE_NOT_SUPPORTED: SqlState = SqlState::new(*b"0A000");
/// `0B000` invalid_transaction_initiation.
pub const INVALID_TRANSACTION_INITIATION: SqlState = SqlState::new(*b"0B000");
/// `0F000` locator_exception.
pub const LOCATOR_EXCEPTION: SqlState = SqlState::new(*b"0F000");
/// `0F001` invalid_locator_specification.
pub const L_E_INVALID_SPECIFICATION: SqlState = SqlState::new(*b"0F001");
/// `0L000` invalid_grantor.
pub const INVALID_GRANTOR: SqlState = SqlState::new(*b"0L000");
/// `0LP01` invalid_grant_operation.
pub const INVALID_GRANT_OPERATION: SqlState = SqlState::new(*b"0LP01");
/// `0P000` invalid_role_specification.
pub const INVALID_ROLE_SPECIFICATION: SqlState = SqlState::new(*b"0P000");
/// `0Z000` diagnostics_exception.
pub const DIAGNOSTICS_EXCEPTION: SqlState = SqlState::new(*b"0Z000");
/// `0Z002` stacked_diagnostics_accessed_without_active_handler.
pub const STACKED_DIAGNOSTICS_ACCESSED_WITHOUT_ACTIVE_HANDLER: SqlState = SqlState::new(*b"0Z002");
/// `10608` invalid_argument_for_xquery.
pub const INVALID_ARGUMENT_FOR_XQUERY: SqlState = SqlState::new(*b"10608");
/// `20000` case_not_found.
pub const CASE_NOT_FOUND: SqlState = SqlState::new(*b"20000");
/// `21000` cardinality_violation.
pub const CARDINALITY_VIOLATION: SqlState = SqlState::new(*b"21000");
/// `22000` data_exception.
pub const DATA_EXCEPTION: SqlState = SqlState::new(*b"22000");
/// `2202E` .
pub const ARRAY_ELEMENT_ERROR: SqlState = SqlState::new(*b"2202E");
/// `2202E` array_subscript_error.
pub const ARRAY_SUBSCRIPT_ERROR: SqlState = SqlState::new(*b"2202E");
/// `22021` character_not_in_repertoire.
pub const CHARACTER_NOT_IN_REPERTOIRE: SqlState = SqlState::new(*b"22021");
/// `22008` datetime_field_overflow.
pub const DATETIME_FIELD_OVERFLOW: SqlState = SqlState::new(*b"22008");
/// `22008` .
pub const DATETIME_VALUE_OUT_OF_RANGE: SqlState = SqlState::new(*b"22008");
/// `22012` division_by_zero.
pub const DIVISION_BY_ZERO: SqlState = SqlState::new(*b"22012");
/// `22005` error_in_assignment.
pub const ERROR_IN_ASSIGNMENT: SqlState = SqlState::new(*b"22005");
/// `2200B` escape_character_conflict.
pub const ESCAPE_CHARACTER_CONFLICT: SqlState = SqlState::new(*b"2200B");
/// `22022` indicator_overflow.
pub const INDICATOR_OVERFLOW: SqlState = SqlState::new(*b"22022");
/// `22015` interval_field_overflow.
pub const INTERVAL_FIELD_OVERFLOW: SqlState = SqlState::new(*b"22015");
/// `2201E` invalid_argument_for_logarithm.
pub const INVALID_ARGUMENT_FOR_LOG: SqlState = SqlState::new(*b"2201E");
/// `22014` invalid_argument_for_ntile_function.
pub const INVALID_ARGUMENT_FOR_NTILE: SqlState = SqlState::new(*b"22014");
/// `22016` invalid_argument_for_nth_value_function.
pub const INVALID_ARGUMENT_FOR_NTH_VALUE: SqlState = SqlState::new(*b"22016");
/// `2201F` invalid_argument_for_power_function.
pub const INVALID_ARGUMENT_FOR_POWER_FUNCTION: SqlState = SqlState::new(*b"2201F");
/// `2201G` invalid_argument_for_width_bucket_function.
pub const INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION: SqlState = SqlState::new(*b"2201G");
/// `22018` invalid_character_value_for_cast.
pub const INVALID_CHARACTER_VALUE_FOR_CAST: SqlState = SqlState::new(*b"22018");
/// `22007` invalid_datetime_format.
pub const INVALID_DATETIME_FORMAT: SqlState = SqlState::new(*b"22007");
/// `22019` invalid_escape_character.
pub const INVALID_ESCAPE_CHARACTER: SqlState = SqlState::new(*b"22019");
/// `2200D` invalid_escape_octet.
pub const INVALID_ESCAPE_OCTET: SqlState = SqlState::new(*b"2200D");
/// `22025` invalid_escape_sequence.
pub const INVALID_ESCAPE_SEQUENCE: SqlState = SqlState::new(*b"22025");
/// `22P06` nonstandard_use_of_escape_character.
pub const NONSTANDARD_USE_OF_ESCAPE_CHARACTER: SqlState = SqlState::new(*b"22P06");
/// `22010` invalid_indicator_parameter_value.
pub const INVALID_INDICATOR_PARAMETER_VALUE: SqlState = SqlState::new(*b"22010");
/// `22023` invalid_parameter_value.
pub const INVALID_PARAMETER_VALUE: SqlState = SqlState::new(*b"22023");
/// `22013` invalid_preceding_or_following_size.
pub const INVALID_PRECEDING_OR_FOLLOWING_SIZE: SqlState = SqlState::new(*b"22013");
/// `2201B` invalid_regular_expression.
pub const INVALID_REGULAR_EXPRESSION: SqlState = SqlState::new(*b"2201B");
/// `2201W` invalid_row_count_in_limit_clause.
pub const INVALID_ROW_COUNT_IN_LIMIT_CLAUSE: SqlState = SqlState::new(*b"2201W");
/// `2201X` invalid_row_count_in_result_offset_clause.
pub const INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE: SqlState = SqlState::new(*b"2201X");
/// `2202H` invalid_tablesample_argument.
pub const INVALID_TABLESAMPLE_ARGUMENT: SqlState = SqlState::new(*b"2202H");
/// `2202G` invalid_tablesample_repeat.
pub const INVALID_TABLESAMPLE_REPEAT: SqlState = SqlState::new(*b"2202G");
/// `22009` invalid_time_zone_displacement_value.
pub const INVALID_TIME_ZONE_DISPLACEMENT_VALUE: SqlState = SqlState::new(*b"22009");
/// `2200C` invalid_use_of_escape_character.
pub const INVALID_USE_OF_ESCAPE_CHARACTER: SqlState = SqlState::new(*b"2200C");
/// `2200G` most_specific_type_mismatch.
pub const MOST_SPECIFIC_TYPE_MISMATCH: SqlState = SqlState::new(*b"2200G");
/// `22004` null_value_not_allowed.
pub const NULL_VALUE_NOT_ALLOWED: SqlState = SqlState::new(*b"22004");
/// `22002` null_value_no_indicator_parameter.
pub const NULL_VALUE_NO_INDICATOR_PARAMETER: SqlState = SqlState::new(*b"22002");
/// `22003` numeric_value_out_of_range.
pub const NUMERIC_VALUE_OUT_OF_RANGE: SqlState = SqlState::new(*b"22003");
/// `2200H` sequence_generator_limit_exceeded.
pub const SEQUENCE_GENERATOR_LIMIT_EXCEEDED: SqlState = SqlState::new(*b"2200H");
/// `22026` string_data_length_mismatch.
pub const STRING_DATA_LENGTH_MISMATCH: SqlState = SqlState::new(*b"22026");
/// `22001` string_data_right_truncation.
pub const STRING_DATA_RIGHT_TRUNCATION: SqlState = SqlState::new(*b"22001");
/// `22011` substring_error.
pub const SUBSTRING_ERROR: SqlState = SqlState::new(*b"22011");
/// `22027` trim_error.
pub const TRIM_ERROR: SqlState = SqlState::new(*b"22027");
/// `22024` unterminated_c_string.
pub const UNTERMINATED_C_STRING: SqlState = SqlState::new(*b"22024");
/// `2200F` zero_length_character_string.
pub const ZERO_LENGTH_CHARACTER_STRING: SqlState = SqlState::new(*b"2200F");
/// `22P01` floating_point_exception.
pub const FLOATING_POINT_EXCEPTION: SqlState = SqlState::new(*b"22P01");
/// `22P02` invalid_text_representation.
pub const INVALID_TEXT_REPRESENTATION: SqlState = SqlState::new(*b"22P02");
/// `22P03` invalid_binary_representation.
pub const INVALID_BINARY_REPRESENTATION: SqlState = SqlState::new(*b"22P03");
/// `22P04` bad_copy_file_format.
pub const BAD_COPY_FILE_FORMAT: SqlState = SqlState::new(*b"22P04");
/// `22P05` untranslatable_character.
pub const UNTRANSLATABLE_CHARACTER: SqlState = SqlState::new(*b"22P05");
/// `2200L` not_an_xml_document.
pub const NOT_AN_XML_DOCUMENT: SqlState = SqlState::new(*b"2200L");
/// `2200M` invalid_xml_document.
pub const INVALID_XML_DOCUMENT: SqlState = SqlState::new(*b"2200M");
/// `2200N` invalid_xml_content.
pub const INVALID_XML_CONTENT: SqlState = SqlState::new(*b"2200N");
/// `2200S` invalid_xml_comment.
pub const INVALID_XML_COMMENT: SqlState = SqlState::new(*b"2200S");
/// `2200T` invalid_xml_processing_instruction.
pub const INVALID_XML_PROCESSING_INSTRUCTION: SqlState = SqlState::new(*b"2200T");
/// `22030` duplicate_json_object_key_value.
pub const DUPLICATE_JSON_OBJECT_KEY_VALUE: SqlState = SqlState::new(*b"22030");
/// `22031` invalid_argument_for_sql_json_datetime_function.
pub const INVALID_ARGUMENT_FOR_SQL_JSON_DATETIME_FUNCTION: SqlState = SqlState::new(*b"22031");
/// `22032` invalid_json_text.
pub const INVALID_JSON_TEXT: SqlState = SqlState::new(*b"22032");
/// `22033` invalid_sql_json_subscript.
pub const INVALID_SQL_JSON_SUBSCRIPT: SqlState = SqlState::new(*b"22033");
/// `22034` more_than_one_sql_json_item.
pub const MORE_THAN_ONE_SQL_JSON_ITEM: SqlState = SqlState::new(*b"22034");
/// `22035` no_sql_json_item.
pub const NO_SQL_JSON_ITEM: SqlState = SqlState::new(*b"22035");
/// `22036` non_numeric_sql_json_item.
pub const NON_NUMERIC_SQL_JSON_ITEM: SqlState = SqlState::new(*b"22036");
/// `22037` non_unique_keys_in_a_json_object.
pub const NON_UNIQUE_KEYS_IN_A_JSON_OBJECT: SqlState = SqlState::new(*b"22037");
/// `22038` singleton_sql_json_item_required.
pub const SINGLETON_SQL_JSON_ITEM_REQUIRED: SqlState = SqlState::new(*b"22038");
/// `22039` sql_json_array_not_found.
pub const SQL_JSON_ARRAY_NOT_FOUND: SqlState = SqlState::new(*b"22039");
/// `2203A` sql_json_member_not_found.
pub const SQL_JSON_MEMBER_NOT_FOUND: SqlState = SqlState::new(*b"2203A");
/// `2203B` sql_json_number_not_found.
pub const SQL_JSON_NUMBER_NOT_FOUND: SqlState = SqlState::new(*b"2203B");
/// `2203C` sql_json_object_not_found.
pub const SQL_JSON_OBJECT_NOT_FOUND: SqlState = SqlState::new(*b"2203C");
/// `2203D` too_many_json_array_elements.
pub const TOO_MANY_JSON_ARRAY_ELEMENTS: SqlState = SqlState::new(*b"2203D");
/// `2203E` too_many_json_object_members.
pub const TOO_MANY_JSON_OBJECT_MEMBERS: SqlState = SqlState::new(*b"2203E");
/// `2203F` sql_json_scalar_required.
pub const SQL_JSON_SCALAR_REQUIRED: SqlState = SqlState::new(*b"2203F");
/// `2203G` sql_json_item_cannot_be_cast_to_target_type.
pub const SQL_JSON_ITEM_CANNOT_BE_CAST_TO_TARGET_TYPE: SqlState = SqlState::new(*b"2203G");
/// `23000` integrity_constraint_violation.
pub const INTEGRITY_CONSTRAINT_VIOLATION: SqlState = SqlState::new(*b"23000");
/// `23001` restrict_violation.
pub const RESTRICT_VIOLATION: SqlState = SqlState::new(*b"23001");
/// `23502` not_null_violation.
pub const NOT_NULL_VIOLATION: SqlState = SqlState::new(*b"23502");
/// `23503` foreign_key_violation.
pub const FOREIGN_KEY_VIOLATION: SqlState = SqlState::new(*b"23503");
/// `23505` unique_violation.
pub const UNIQUE_VIOLATION: SqlState = SqlState::new(*b"23505");
/// `23514` check_violation.
pub const CHECK_VIOLATION: SqlState = SqlState::new(*b"23514");
/// `23P01` exclusion_violation.
pub const EXCLUSION_VIOLATION: SqlState = SqlState::new(*b"23P01");
/// `24000` invalid_cursor_state.
pub const INVALID_CURSOR_STATE: SqlState = SqlState::new(*b"24000");
/// `25000` invalid_transaction_state.
pub const INVALID_TRANSACTION_STATE: SqlState = SqlState::new(*b"25000");
/// `25001` active_sql_transaction.
pub const ACTIVE_SQL_TRANSACTION: SqlState = SqlState::new(*b"25001");
/// `25002` branch_transaction_already_active.
pub const BRANCH_TRANSACTION_ALREADY_ACTIVE: SqlState = SqlState::new(*b"25002");
/// `25008` held_cursor_requires_same_isolation_level.
pub const HELD_CURSOR_REQUIRES_SAME_ISOLATION_LEVEL: SqlState = SqlState::new(*b"25008");
/// `25003` inappropriate_access_mode_for_branch_transaction.
pub const INAPPROPRIATE_ACCESS_MODE_FOR_BRANCH_TRANSACTION: SqlState = SqlState::new(*b"25003");
/// `25004` inappropriate_isolation_level_for_branch_transaction.
pub const INAPPROPRIATE_ISOLATION_LEVEL_FOR_BRANCH_TRANSACTION: SqlState = SqlState::new(*b"25004");
/// `25005` no_active_sql_transaction_for_branch_transaction.
pub const NO_ACTIVE_SQL_TRANSACTION_FOR_BRANCH_TRANSACTION: SqlState = SqlState::new(*b"25005");
/// `25006` read_only_sql_transaction.
pub const READ_ONLY_SQL_TRANSACTION: SqlState = SqlState::new(*b"25006");
/// `25007` schema_and_data_statement_mixing_not_supported.
pub const SCHEMA_AND_DATA_STATEMENT_MIXING_NOT_SUPPORTED: SqlState = SqlState::new(*b"25007");
/// `25P01` no_active_sql_transaction.
pub const NO_ACTIVE_SQL_TRANSACTION: SqlState = SqlState::new(*b"25P01");
/// `25P02` in_failed_sql_transaction.
pub const IN_FAILED_SQL_TRANSACTION: SqlState = SqlState::new(*b"25P02");
/// `25P03` idle_in_transaction_session_timeout.
pub const IDLE_IN_TRANSACTION_SESSION_TIMEOUT: SqlState = SqlState::new(*b"25P03");
/// `25P04` transaction_timeout.
pub const TRANSACTION_TIMEOUT: SqlState = SqlState::new(*b"25P04");
/// `26000` invalid_sql_statement_name.
pub const INVALID_SQL_STATEMENT_NAME: SqlState = SqlState::new(*b"26000");
/// `27000` triggered_data_change_violation.
pub const TRIGGERED_DATA_CHANGE_VIOLATION: SqlState = SqlState::new(*b"27000");
/// `28000` invalid_authorization_specification.
pub const INVALID_AUTHORIZATION_SPECIFICATION: SqlState = SqlState::new(*b"28000");
/// `28P01` invalid_password.
pub const INVALID_PASSWORD: SqlState = SqlState::new(*b"28P01");
/// `2B000` dependent_privilege_descriptors_still_exist.
pub const DEPENDENT_PRIVILEGE_DESCRIPTORS_STILL_EXIST: SqlState = SqlState::new(*b"2B000");
/// `2BP01` dependent_objects_still_exist.
pub const DEPENDENT_OBJECTS_STILL_EXIST: SqlState = SqlState::new(*b"2BP01");
/// `2D000` invalid_transaction_termination.
pub const INVALID_TRANSACTION_TERMINATION: SqlState = SqlState::new(*b"2D000");
/// `2F000` sql_routine_exception.
pub const SQL_ROUTINE_EXCEPTION: SqlState = SqlState::new(*b"2F000");
/// `2F005` function_executed_no_return_statement.
pub const S_R_E_FUNCTION_EXECUTED_NO_RETURN_STATEMENT: SqlState = SqlState::new(*b"2F005");
/// `2F002` modifying_sql_data_not_permitted.
pub const S_R_E_MODIFYING_SQL_DATA_NOT_PERMITTED: SqlState = SqlState::new(*b"2F002");
/// `2F003` prohibited_sql_statement_attempted.
pub const S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED: SqlState = SqlState::new(*b"2F003");
/// `2F004` reading_sql_data_not_permitted.
pub const S_R_E_READING_SQL_DATA_NOT_PERMITTED: SqlState = SqlState::new(*b"2F004");
/// `34000` invalid_cursor_name.
pub const INVALID_CURSOR_NAME: SqlState = SqlState::new(*b"34000");
/// `38000` external_routine_exception.
pub const EXTERNAL_ROUTINE_EXCEPTION: SqlState = SqlState::new(*b"38000");
/// `38001` containing_sql_not_permitted.
pub const E_R_E_CONTAINING_SQL_NOT_PERMITTED: SqlState = SqlState::new(*b"38001");
/// `38002` modifying_sql_data_not_permitted.
pub const E_R_E_MODIFYING_SQL_DATA_NOT_PERMITTED: SqlState = SqlState::new(*b"38002");
/// `38003` prohibited_sql_statement_attempted.
pub const E_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED: SqlState = SqlState::new(*b"38003");
/// `38004` reading_sql_data_not_permitted.
pub const E_R_E_READING_SQL_DATA_NOT_PERMITTED: SqlState = SqlState::new(*b"38004");
/// `39000` external_routine_invocation_exception.
pub const EXTERNAL_ROUTINE_INVOCATION_EXCEPTION: SqlState = SqlState::new(*b"39000");
/// `39001` invalid_sqlstate_returned.
pub const E_R_I_E_INVALID_SQLSTATE_RETURNED: SqlState = SqlState::new(*b"39001");
/// `39004` null_value_not_allowed.
pub const E_R_I_E_NULL_VALUE_NOT_ALLOWED: SqlState = SqlState::new(*b"39004");
/// `39P01` trigger_protocol_violated.
pub const E_R_I_E_TRIGGER_PROTOCOL_VIOLATED: SqlState = SqlState::new(*b"39P01");
/// `39P02` srf_protocol_violated.
pub const E_R_I_E_SRF_PROTOCOL_VIOLATED: SqlState = SqlState::new(*b"39P02");
/// `39P03` event_trigger_protocol_violated.
pub const E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED: SqlState = SqlState::new(*b"39P03");
/// `3B000` savepoint_exception.
pub const SAVEPOINT_EXCEPTION: SqlState = SqlState::new(*b"3B000");
/// `3B001` invalid_savepoint_specification.
pub const S_E_INVALID_SPECIFICATION: SqlState = SqlState::new(*b"3B001");
/// `3D000` invalid_catalog_name.
pub const INVALID_CATALOG_NAME: SqlState = SqlState::new(*b"3D000");
/// `3F000` invalid_schema_name.
pub const INVALID_SCHEMA_NAME: SqlState = SqlState::new(*b"3F000");
/// `40000` transaction_rollback.
pub const TRANSACTION_ROLLBACK: SqlState = SqlState::new(*b"40000");
/// `40002` transaction_integrity_constraint_violation.
pub const T_R_INTEGRITY_CONSTRAINT_VIOLATION: SqlState = SqlState::new(*b"40002");
/// `40001` serialization_failure.
pub const T_R_SERIALIZATION_FAILURE: SqlState = SqlState::new(*b"40001");
/// `40003` statement_completion_unknown.
pub const T_R_STATEMENT_COMPLETION_UNKNOWN: SqlState = SqlState::new(*b"40003");
/// `40P01` deadlock_detected.
pub const T_R_DEADLOCK_DETECTED: SqlState = SqlState::new(*b"40P01");
/// `42000` syntax_error_or_access_rule_violation.
pub const SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION: SqlState = SqlState::new(*b"42000");
/// `42601` syntax_error.
pub const SYNTAX_ERROR: SqlState = SqlState::new(*b"42601");
/// `42501` insufficient_privilege.
pub const INSUFFICIENT_PRIVILEGE: SqlState = SqlState::new(*b"42501");
/// `42846` cannot_coerce.
pub const CANNOT_COERCE: SqlState = SqlState::new(*b"42846");
/// `42803` grouping_error.
pub const GROUPING_ERROR: SqlState = SqlState::new(*b"42803");
/// `42P20` windowing_error.
pub const WINDOWING_ERROR: SqlState = SqlState::new(*b"42P20");
/// `42P19` invalid_recursion.
pub const INVALID_RECURSION: SqlState = SqlState::new(*b"42P19");
/// `42830` invalid_foreign_key.
pub const INVALID_FOREIGN_KEY: SqlState = SqlState::new(*b"42830");
/// `42602` invalid_name.
pub const INVALID_NAME: SqlState = SqlState::new(*b"42602");
/// `42622` name_too_long.
pub const NAME_TOO_LONG: SqlState = SqlState::new(*b"42622");
/// `42939` reserved_name.
pub const RESERVED_NAME: SqlState = SqlState::new(*b"42939");
/// `42804` datatype_mismatch.
pub const DATATYPE_MISMATCH: SqlState = SqlState::new(*b"42804");
/// `42P18` indeterminate_datatype.
pub const INDETERMINATE_DATATYPE: SqlState = SqlState::new(*b"42P18");
/// `42P21` collation_mismatch.
pub const COLLATION_MISMATCH: SqlState = SqlState::new(*b"42P21");
/// `42P22` indeterminate_collation.
pub const INDETERMINATE_COLLATION: SqlState = SqlState::new(*b"42P22");
/// `42809` wrong_object_type.
pub const WRONG_OBJECT_TYPE: SqlState = SqlState::new(*b"42809");
/// `428C9` generated_always.
pub const GENERATED_ALWAYS: SqlState = SqlState::new(*b"428C9");
/// `42703` undefined_column.
pub const UNDEFINED_COLUMN: SqlState = SqlState::new(*b"42703");
/// `34000` .
pub const UNDEFINED_CURSOR: SqlState = SqlState::new(*b"34000");
/// `3D000` .
pub const UNDEFINED_DATABASE: SqlState = SqlState::new(*b"3D000");
/// `42883` undefined_function.
pub const UNDEFINED_FUNCTION: SqlState = SqlState::new(*b"42883");
/// `26000` .
pub const UNDEFINED_PSTATEMENT: SqlState = SqlState::new(*b"26000");
/// `3F000` .
pub const UNDEFINED_SCHEMA: SqlState = SqlState::new(*b"3F000");
/// `42P01` undefined_table.
pub const UNDEFINED_TABLE: SqlState = SqlState::new(*b"42P01");
/// `42P02` undefined_parameter.
pub const UNDEFINED_PARAMETER: SqlState = SqlState::new(*b"42P02");
/// `42704` undefined_object.
pub const UNDEFINED_OBJECT: SqlState = SqlState::new(*b"42704");
/// `42701` duplicate_column.
pub const DUPLICATE_COLUMN: SqlState = SqlState::new(*b"42701");
/// `42P03` duplicate_cursor.
pub const DUPLICATE_CURSOR: SqlState = SqlState::new(*b"42P03");
/// `42P04` duplicate_database.
pub const DUPLICATE_DATABASE: SqlState = SqlState::new(*b"42P04");
/// `42723` duplicate_function.
pub const DUPLICATE_FUNCTION: SqlState = SqlState::new(*b"42723");
/// `42P05` duplicate_prepared_statement.
pub const DUPLICATE_PSTATEMENT: SqlState = SqlState::new(*b"42P05");
/// `42P06` duplicate_schema.
pub const DUPLICATE_SCHEMA: SqlState = SqlState::new(*b"42P06");
/// `42P07` duplicate_table.
pub const DUPLICATE_TABLE: SqlState = SqlState::new(*b"42P07");
/// `42712` duplicate_alias.
pub const DUPLICATE_ALIAS: SqlState = SqlState::new(*b"42712");
/// `42710` duplicate_object.
pub const DUPLICATE_OBJECT: SqlState = SqlState::new(*b"42710");
/// `42702` ambiguous_column.
pub const AMBIGUOUS_COLUMN: SqlState = SqlState::new(*b"42702");
/// `42725` ambiguous_function.
pub const AMBIGUOUS_FUNCTION: SqlState = SqlState::new(*b"42725");
/// `42P08` ambiguous_parameter.
pub const AMBIGUOUS_PARAMETER: SqlState = SqlState::new(*b"42P08");
/// `42P09` ambiguous_alias.
pub const AMBIGUOUS_ALIAS: SqlState = SqlState::new(*b"42P09");
/// `42P10` invalid_column_reference.
pub const INVALID_COLUMN_REFERENCE: SqlState = SqlState::new(*b"42P10");
/// `42611` invalid_column_definition.
pub const INVALID_COLUMN_DEFINITION: SqlState = SqlState::new(*b"42611");
/// `42P11` invalid_cursor_definition.
pub const INVALID_CURSOR_DEFINITION: SqlState = SqlState::new(*b"42P11");
/// `42P12` invalid_database_definition.
pub const INVALID_DATABASE_DEFINITION: SqlState = SqlState::new(*b"42P12");
/// `42P13` invalid_function_definition.
pub const INVALID_FUNCTION_DEFINITION: SqlState = SqlState::new(*b"42P13");
/// `42P14` invalid_prepared_statement_definition.
pub const INVALID_PSTATEMENT_DEFINITION: SqlState = SqlState::new(*b"42P14");
/// `42P15` invalid_schema_definition.
pub const INVALID_SCHEMA_DEFINITION: SqlState = SqlState::new(*b"42P15");
/// `42P16` invalid_table_definition.
pub const INVALID_TABLE_DEFINITION: SqlState = SqlState::new(*b"42P16");
/// `42P17` invalid_object_definition.
pub const INVALID_OBJECT_DEFINITION: SqlState = SqlState::new(*b"42P17");
/// `44000` with_check_option_violation.
pub const WITH_CHECK_OPTION_VIOLATION: SqlState = SqlState::new(*b"44000");
/// `53000` insufficient_resources.
pub const INSUFFICIENT_RESOURCES: SqlState = SqlState::new(*b"53000");
/// `53100` disk_full.
pub const DISK_FULL: SqlState = SqlState::new(*b"53100");
/// `53200` out_of_memory.
pub const OUT_OF_MEMORY: SqlState = SqlState::new(*b"53200");
/// `53300` too_many_connections.
pub const TOO_MANY_CONNECTIONS: SqlState = SqlState::new(*b"53300");
/// `53400` configuration_limit_exceeded.
pub const CONFIGURATION_LIMIT_EXCEEDED: SqlState = SqlState::new(*b"53400");
/// `54000` program_limit_exceeded.
pub const PROGRAM_LIMIT_EXCEEDED: SqlState = SqlState::new(*b"54000");
/// `54001` statement_too_complex.
pub const STATEMENT_TOO_COMPLEX: SqlState = SqlState::new(*b"54001");
/// `54011` too_many_columns.
pub const TOO_MANY_COLUMNS: SqlState = SqlState::new(*b"54011");
/// `54023` too_many_arguments.
pub const TOO_MANY_ARGUMENTS: SqlState = SqlState::new(*b"54023");
/// `55000` object_not_in_prerequisite_state.
pub const OBJECT_NOT_IN_PREREQUISITE_STATE: SqlState = SqlState::new(*b"55000");
/// `55006` object_in_use.
pub const OBJECT_IN_USE: SqlState = SqlState::new(*b"55006");
/// `55P02` cant_change_runtime_param.
pub const CANT_CHANGE_RUNTIME_PARAM: SqlState = SqlState::new(*b"55P02");
/// `55P03` lock_not_available.
pub const LOCK_NOT_AVAILABLE: SqlState = SqlState::new(*b"55P03");
/// `55P04` unsafe_new_enum_value_usage.
pub const UNSAFE_NEW_ENUM_VALUE_USAGE: SqlState = SqlState::new(*b"55P04");
/// `57000` operator_intervention.
pub const OPERATOR_INTERVENTION: SqlState = SqlState::new(*b"57000");
/// `57014` query_canceled.
pub const QUERY_CANCELED: SqlState = SqlState::new(*b"57014");
/// `57P01` admin_shutdown.
pub const ADMIN_SHUTDOWN: SqlState = SqlState::new(*b"57P01");
/// `57P02` crash_shutdown.
pub const CRASH_SHUTDOWN: SqlState = SqlState::new(*b"57P02");
/// `57P03` cannot_connect_now.
pub const CANNOT_CONNECT_NOW: SqlState = SqlState::new(*b"57P03");
/// `57P04` database_dropped.
pub const DATABASE_DROPPED: SqlState = SqlState::new(*b"57P04");
/// `57P05` idle_session_timeout.
pub const IDLE_SESSION_TIMEOUT: SqlState = SqlState::new(*b"57P05");
/// `58000` system_error.
pub const SYSTEM_ERROR: SqlState = SqlState::new(*b"58000");
/// `58030` io_error.
pub const IO_ERROR: SqlState = SqlState::new(*b"58030");
/// `58P01` undefined_file.
pub const UNDEFINED_FILE: SqlState = SqlState::new(*b"58P01");
/// `58P02` duplicate_file.
pub const DUPLICATE_FILE: SqlState = SqlState::new(*b"58P02");
/// `58P03` file_name_too_long.
pub const FILE_NAME_TOO_LONG: SqlState = SqlState::new(*b"58P03");
/// `F0000` config_file_error.
pub const CONFIG_FILE_ERROR: SqlState = SqlState::new(*b"F0000");
/// `F0001` lock_file_exists.
pub const LOCK_FILE_EXISTS: SqlState = SqlState::new(*b"F0001");
/// `HV000` fdw_error.
pub const FDW_ERROR: SqlState = SqlState::new(*b"HV000");
/// `HV005` fdw_column_name_not_found.
pub const FDW_COLUMN_NAME_NOT_FOUND: SqlState = SqlState::new(*b"HV005");
/// `HV002` fdw_dynamic_parameter_value_needed.
pub const FDW_DYNAMIC_PARAMETER_VALUE_NEEDED: SqlState = SqlState::new(*b"HV002");
/// `HV010` fdw_function_sequence_error.
pub const FDW_FUNCTION_SEQUENCE_ERROR: SqlState = SqlState::new(*b"HV010");
/// `HV021` fdw_inconsistent_descriptor_information.
pub const FDW_INCONSISTENT_DESCRIPTOR_INFORMATION: SqlState = SqlState::new(*b"HV021");
/// `HV024` fdw_invalid_attribute_value.
pub const FDW_INVALID_ATTRIBUTE_VALUE: SqlState = SqlState::new(*b"HV024");
/// `HV007` fdw_invalid_column_name.
pub const FDW_INVALID_COLUMN_NAME: SqlState = SqlState::new(*b"HV007");
/// `HV008` fdw_invalid_column_number.
pub const FDW_INVALID_COLUMN_NUMBER: SqlState = SqlState::new(*b"HV008");
/// `HV004` fdw_invalid_data_type.
pub const FDW_INVALID_DATA_TYPE: SqlState = SqlState::new(*b"HV004");
/// `HV006` fdw_invalid_data_type_descriptors.
pub const FDW_INVALID_DATA_TYPE_DESCRIPTORS: SqlState = SqlState::new(*b"HV006");
/// `HV091` fdw_invalid_descriptor_field_identifier.
pub const FDW_INVALID_DESCRIPTOR_FIELD_IDENTIFIER: SqlState = SqlState::new(*b"HV091");
/// `HV00B` fdw_invalid_handle.
pub const FDW_INVALID_HANDLE: SqlState = SqlState::new(*b"HV00B");
/// `HV00C` fdw_invalid_option_index.
pub const FDW_INVALID_OPTION_INDEX: SqlState = SqlState::new(*b"HV00C");
/// `HV00D` fdw_invalid_option_name.
pub const FDW_INVALID_OPTION_NAME: SqlState = SqlState::new(*b"HV00D");
/// `HV090` fdw_invalid_string_length_or_buffer_length.
pub const FDW_INVALID_STRING_LENGTH_OR_BUFFER_LENGTH: SqlState = SqlState::new(*b"HV090");
/// `HV00A` fdw_invalid_string_format.
pub const FDW_INVALID_STRING_FORMAT: SqlState = SqlState::new(*b"HV00A");
/// `HV009` fdw_invalid_use_of_null_pointer.
pub const FDW_INVALID_USE_OF_NULL_POINTER: SqlState = SqlState::new(*b"HV009");
/// `HV014` fdw_too_many_handles.
pub const FDW_TOO_MANY_HANDLES: SqlState = SqlState::new(*b"HV014");
/// `HV001` fdw_out_of_memory.
pub const FDW_OUT_OF_MEMORY: SqlState = SqlState::new(*b"HV001");
/// `HV00P` fdw_no_schemas.
pub const FDW_NO_SCHEMAS: SqlState = SqlState::new(*b"HV00P");
/// `HV00J` fdw_option_name_not_found.
pub const FDW_OPTION_NAME_NOT_FOUND: SqlState = SqlState::new(*b"HV00J");
/// `HV00K` fdw_reply_handle.
pub const FDW_REPLY_HANDLE: SqlState = SqlState::new(*b"HV00K");
/// `HV00Q` fdw_schema_not_found.
pub const FDW_SCHEMA_NOT_FOUND: SqlState = SqlState::new(*b"HV00Q");
/// `HV00R` fdw_table_not_found.
pub const FDW_TABLE_NOT_FOUND: SqlState = SqlState::new(*b"HV00R");
/// `HV00L` fdw_unable_to_create_execution.
pub const FDW_UNABLE_TO_CREATE_EXECUTION: SqlState = SqlState::new(*b"HV00L");
/// `HV00M` fdw_unable_to_create_reply.
pub const FDW_UNABLE_TO_CREATE_REPLY: SqlState = SqlState::new(*b"HV00M");
/// `HV00N` fdw_unable_to_establish_connection.
pub const FDW_UNABLE_TO_ESTABLISH_CONNECTION: SqlState = SqlState::new(*b"HV00N");
/// `P0000` plpgsql_error.
pub const PLPGSQL_ERROR: SqlState = SqlState::new(*b"P0000");
/// `P0001` raise_exception.
pub const RAISE_EXCEPTION: SqlState = SqlState::new(*b"P0001");
/// `P0002` no_data_found.
pub const NO_DATA_FOUND: SqlState = SqlState::new(*b"P0002");
/// `P0003` too_many_rows.
pub const TOO_MANY_ROWS: SqlState = SqlState::new(*b"P0003");
/// `P0004` assert_failure.
pub const ASSERT_FAILURE: SqlState = SqlState::new(*b"P0004");
/// `XX000` internal_error.
pub const INTERNAL_ERROR: SqlState = SqlState::new(*b"XX000");
/// `XX001` data_corrupted.
pub const DATA_CORRUPTED: SqlState = SqlState::new(*b"XX001");
/// `XX002` index_corrupted.
pub const INDEX_CORRUPTED: SqlState = SqlState::new(*b"XX002");

/// Every condition name PostgreSQL knows, with its SQLSTATE (what PL/pgSQL's `EXCEPTION WHEN` accepts).
#[rustfmt::skip]
pub const CONDITION_NAMES: &[(&str, SqlState)] = &[
    ("successful_completion", SUCCESSFUL_COMPLETION),
    ("warning", WARNING),
    ("dynamic_result_sets_returned", WARNING_DYNAMIC_RESULT_SETS_RETURNED),
    ("implicit_zero_bit_padding", WARNING_IMPLICIT_ZERO_BIT_PADDING),
    ("null_value_eliminated_in_set_function", WARNING_NULL_VALUE_ELIMINATED_IN_SET_FUNCTION),
    ("privilege_not_granted", WARNING_PRIVILEGE_NOT_GRANTED),
    ("privilege_not_revoked", WARNING_PRIVILEGE_NOT_REVOKED),
    ("string_data_right_truncation", WARNING_STRING_DATA_RIGHT_TRUNCATION),
    ("deprecated_feature", WARNING_DEPRECATED_FEATURE),
    ("no_data", NO_DATA),
    ("no_additional_dynamic_result_sets_returned", NO_ADDITIONAL_DYNAMIC_RESULT_SETS_RETURNED),
    ("sql_statement_not_yet_complete", SQL_STATEMENT_NOT_YET_COMPLETE),
    ("connection_exception", CONNECTION_EXCEPTION),
    ("connection_does_not_exist", CONNECTION_DOES_NOT_EXIST),
    ("connection_failure", CONNECTION_FAILURE),
    ("sqlclient_unable_to_establish_sqlconnection", SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
    ("sqlserver_rejected_establishment_of_sqlconnection", SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION),
    ("transaction_resolution_unknown", TRANSACTION_RESOLUTION_UNKNOWN),
    ("protocol_violation", PROTOCOL_VIOLATION),
    ("triggered_action_exception", TRIGGERED_ACTION_EXCEPTION),
    ("feature_not_supported", FEATURE_NOT_SUPPORTED),
    ("invalid_transaction_initiation", INVALID_TRANSACTION_INITIATION),
    ("locator_exception", LOCATOR_EXCEPTION),
    ("invalid_locator_specification", L_E_INVALID_SPECIFICATION),
    ("invalid_grantor", INVALID_GRANTOR),
    ("invalid_grant_operation", INVALID_GRANT_OPERATION),
    ("invalid_role_specification", INVALID_ROLE_SPECIFICATION),
    ("diagnostics_exception", DIAGNOSTICS_EXCEPTION),
    ("stacked_diagnostics_accessed_without_active_handler", STACKED_DIAGNOSTICS_ACCESSED_WITHOUT_ACTIVE_HANDLER),
    ("invalid_argument_for_xquery", INVALID_ARGUMENT_FOR_XQUERY),
    ("case_not_found", CASE_NOT_FOUND),
    ("cardinality_violation", CARDINALITY_VIOLATION),
    ("data_exception", DATA_EXCEPTION),
    ("", ARRAY_ELEMENT_ERROR),
    ("array_subscript_error", ARRAY_SUBSCRIPT_ERROR),
    ("character_not_in_repertoire", CHARACTER_NOT_IN_REPERTOIRE),
    ("datetime_field_overflow", DATETIME_FIELD_OVERFLOW),
    ("", DATETIME_VALUE_OUT_OF_RANGE),
    ("division_by_zero", DIVISION_BY_ZERO),
    ("error_in_assignment", ERROR_IN_ASSIGNMENT),
    ("escape_character_conflict", ESCAPE_CHARACTER_CONFLICT),
    ("indicator_overflow", INDICATOR_OVERFLOW),
    ("interval_field_overflow", INTERVAL_FIELD_OVERFLOW),
    ("invalid_argument_for_logarithm", INVALID_ARGUMENT_FOR_LOG),
    ("invalid_argument_for_ntile_function", INVALID_ARGUMENT_FOR_NTILE),
    ("invalid_argument_for_nth_value_function", INVALID_ARGUMENT_FOR_NTH_VALUE),
    ("invalid_argument_for_power_function", INVALID_ARGUMENT_FOR_POWER_FUNCTION),
    ("invalid_argument_for_width_bucket_function", INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION),
    ("invalid_character_value_for_cast", INVALID_CHARACTER_VALUE_FOR_CAST),
    ("invalid_datetime_format", INVALID_DATETIME_FORMAT),
    ("invalid_escape_character", INVALID_ESCAPE_CHARACTER),
    ("invalid_escape_octet", INVALID_ESCAPE_OCTET),
    ("invalid_escape_sequence", INVALID_ESCAPE_SEQUENCE),
    ("nonstandard_use_of_escape_character", NONSTANDARD_USE_OF_ESCAPE_CHARACTER),
    ("invalid_indicator_parameter_value", INVALID_INDICATOR_PARAMETER_VALUE),
    ("invalid_parameter_value", INVALID_PARAMETER_VALUE),
    ("invalid_preceding_or_following_size", INVALID_PRECEDING_OR_FOLLOWING_SIZE),
    ("invalid_regular_expression", INVALID_REGULAR_EXPRESSION),
    ("invalid_row_count_in_limit_clause", INVALID_ROW_COUNT_IN_LIMIT_CLAUSE),
    ("invalid_row_count_in_result_offset_clause", INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE),
    ("invalid_tablesample_argument", INVALID_TABLESAMPLE_ARGUMENT),
    ("invalid_tablesample_repeat", INVALID_TABLESAMPLE_REPEAT),
    ("invalid_time_zone_displacement_value", INVALID_TIME_ZONE_DISPLACEMENT_VALUE),
    ("invalid_use_of_escape_character", INVALID_USE_OF_ESCAPE_CHARACTER),
    ("most_specific_type_mismatch", MOST_SPECIFIC_TYPE_MISMATCH),
    ("null_value_not_allowed", NULL_VALUE_NOT_ALLOWED),
    ("null_value_no_indicator_parameter", NULL_VALUE_NO_INDICATOR_PARAMETER),
    ("numeric_value_out_of_range", NUMERIC_VALUE_OUT_OF_RANGE),
    ("sequence_generator_limit_exceeded", SEQUENCE_GENERATOR_LIMIT_EXCEEDED),
    ("string_data_length_mismatch", STRING_DATA_LENGTH_MISMATCH),
    ("string_data_right_truncation", STRING_DATA_RIGHT_TRUNCATION),
    ("substring_error", SUBSTRING_ERROR),
    ("trim_error", TRIM_ERROR),
    ("unterminated_c_string", UNTERMINATED_C_STRING),
    ("zero_length_character_string", ZERO_LENGTH_CHARACTER_STRING),
    ("floating_point_exception", FLOATING_POINT_EXCEPTION),
    ("invalid_text_representation", INVALID_TEXT_REPRESENTATION),
    ("invalid_binary_representation", INVALID_BINARY_REPRESENTATION),
    ("bad_copy_file_format", BAD_COPY_FILE_FORMAT),
    ("untranslatable_character", UNTRANSLATABLE_CHARACTER),
    ("not_an_xml_document", NOT_AN_XML_DOCUMENT),
    ("invalid_xml_document", INVALID_XML_DOCUMENT),
    ("invalid_xml_content", INVALID_XML_CONTENT),
    ("invalid_xml_comment", INVALID_XML_COMMENT),
    ("invalid_xml_processing_instruction", INVALID_XML_PROCESSING_INSTRUCTION),
    ("duplicate_json_object_key_value", DUPLICATE_JSON_OBJECT_KEY_VALUE),
    ("invalid_argument_for_sql_json_datetime_function", INVALID_ARGUMENT_FOR_SQL_JSON_DATETIME_FUNCTION),
    ("invalid_json_text", INVALID_JSON_TEXT),
    ("invalid_sql_json_subscript", INVALID_SQL_JSON_SUBSCRIPT),
    ("more_than_one_sql_json_item", MORE_THAN_ONE_SQL_JSON_ITEM),
    ("no_sql_json_item", NO_SQL_JSON_ITEM),
    ("non_numeric_sql_json_item", NON_NUMERIC_SQL_JSON_ITEM),
    ("non_unique_keys_in_a_json_object", NON_UNIQUE_KEYS_IN_A_JSON_OBJECT),
    ("singleton_sql_json_item_required", SINGLETON_SQL_JSON_ITEM_REQUIRED),
    ("sql_json_array_not_found", SQL_JSON_ARRAY_NOT_FOUND),
    ("sql_json_member_not_found", SQL_JSON_MEMBER_NOT_FOUND),
    ("sql_json_number_not_found", SQL_JSON_NUMBER_NOT_FOUND),
    ("sql_json_object_not_found", SQL_JSON_OBJECT_NOT_FOUND),
    ("too_many_json_array_elements", TOO_MANY_JSON_ARRAY_ELEMENTS),
    ("too_many_json_object_members", TOO_MANY_JSON_OBJECT_MEMBERS),
    ("sql_json_scalar_required", SQL_JSON_SCALAR_REQUIRED),
    ("sql_json_item_cannot_be_cast_to_target_type", SQL_JSON_ITEM_CANNOT_BE_CAST_TO_TARGET_TYPE),
    ("integrity_constraint_violation", INTEGRITY_CONSTRAINT_VIOLATION),
    ("restrict_violation", RESTRICT_VIOLATION),
    ("not_null_violation", NOT_NULL_VIOLATION),
    ("foreign_key_violation", FOREIGN_KEY_VIOLATION),
    ("unique_violation", UNIQUE_VIOLATION),
    ("check_violation", CHECK_VIOLATION),
    ("exclusion_violation", EXCLUSION_VIOLATION),
    ("invalid_cursor_state", INVALID_CURSOR_STATE),
    ("invalid_transaction_state", INVALID_TRANSACTION_STATE),
    ("active_sql_transaction", ACTIVE_SQL_TRANSACTION),
    ("branch_transaction_already_active", BRANCH_TRANSACTION_ALREADY_ACTIVE),
    ("held_cursor_requires_same_isolation_level", HELD_CURSOR_REQUIRES_SAME_ISOLATION_LEVEL),
    ("inappropriate_access_mode_for_branch_transaction", INAPPROPRIATE_ACCESS_MODE_FOR_BRANCH_TRANSACTION),
    ("inappropriate_isolation_level_for_branch_transaction", INAPPROPRIATE_ISOLATION_LEVEL_FOR_BRANCH_TRANSACTION),
    ("no_active_sql_transaction_for_branch_transaction", NO_ACTIVE_SQL_TRANSACTION_FOR_BRANCH_TRANSACTION),
    ("read_only_sql_transaction", READ_ONLY_SQL_TRANSACTION),
    ("schema_and_data_statement_mixing_not_supported", SCHEMA_AND_DATA_STATEMENT_MIXING_NOT_SUPPORTED),
    ("no_active_sql_transaction", NO_ACTIVE_SQL_TRANSACTION),
    ("in_failed_sql_transaction", IN_FAILED_SQL_TRANSACTION),
    ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_SESSION_TIMEOUT),
    ("transaction_timeout", TRANSACTION_TIMEOUT),
    ("invalid_sql_statement_name", INVALID_SQL_STATEMENT_NAME),
    ("triggered_data_change_violation", TRIGGERED_DATA_CHANGE_VIOLATION),
    ("invalid_authorization_specification", INVALID_AUTHORIZATION_SPECIFICATION),
    ("invalid_password", INVALID_PASSWORD),
    ("dependent_privilege_descriptors_still_exist", DEPENDENT_PRIVILEGE_DESCRIPTORS_STILL_EXIST),
    ("dependent_objects_still_exist", DEPENDENT_OBJECTS_STILL_EXIST),
    ("invalid_transaction_termination", INVALID_TRANSACTION_TERMINATION),
    ("sql_routine_exception", SQL_ROUTINE_EXCEPTION),
    ("function_executed_no_return_statement", S_R_E_FUNCTION_EXECUTED_NO_RETURN_STATEMENT),
    ("modifying_sql_data_not_permitted", S_R_E_MODIFYING_SQL_DATA_NOT_PERMITTED),
    ("prohibited_sql_statement_attempted", S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED),
    ("reading_sql_data_not_permitted", S_R_E_READING_SQL_DATA_NOT_PERMITTED),
    ("invalid_cursor_name", INVALID_CURSOR_NAME),
    ("external_routine_exception", EXTERNAL_ROUTINE_EXCEPTION),
    ("containing_sql_not_permitted", E_R_E_CONTAINING_SQL_NOT_PERMITTED),
    ("modifying_sql_data_not_permitted", E_R_E_MODIFYING_SQL_DATA_NOT_PERMITTED),
    ("prohibited_sql_statement_attempted", E_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED),
    ("reading_sql_data_not_permitted", E_R_E_READING_SQL_DATA_NOT_PERMITTED),
    ("external_routine_invocation_exception", EXTERNAL_ROUTINE_INVOCATION_EXCEPTION),
    ("invalid_sqlstate_returned", E_R_I_E_INVALID_SQLSTATE_RETURNED),
    ("null_value_not_allowed", E_R_I_E_NULL_VALUE_NOT_ALLOWED),
    ("trigger_protocol_violated", E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
    ("srf_protocol_violated", E_R_I_E_SRF_PROTOCOL_VIOLATED),
    ("event_trigger_protocol_violated", E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
    ("savepoint_exception", SAVEPOINT_EXCEPTION),
    ("invalid_savepoint_specification", S_E_INVALID_SPECIFICATION),
    ("invalid_catalog_name", INVALID_CATALOG_NAME),
    ("invalid_schema_name", INVALID_SCHEMA_NAME),
    ("transaction_rollback", TRANSACTION_ROLLBACK),
    ("transaction_integrity_constraint_violation", T_R_INTEGRITY_CONSTRAINT_VIOLATION),
    ("serialization_failure", T_R_SERIALIZATION_FAILURE),
    ("statement_completion_unknown", T_R_STATEMENT_COMPLETION_UNKNOWN),
    ("deadlock_detected", T_R_DEADLOCK_DETECTED),
    ("syntax_error_or_access_rule_violation", SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION),
    ("syntax_error", SYNTAX_ERROR),
    ("insufficient_privilege", INSUFFICIENT_PRIVILEGE),
    ("cannot_coerce", CANNOT_COERCE),
    ("grouping_error", GROUPING_ERROR),
    ("windowing_error", WINDOWING_ERROR),
    ("invalid_recursion", INVALID_RECURSION),
    ("invalid_foreign_key", INVALID_FOREIGN_KEY),
    ("invalid_name", INVALID_NAME),
    ("name_too_long", NAME_TOO_LONG),
    ("reserved_name", RESERVED_NAME),
    ("datatype_mismatch", DATATYPE_MISMATCH),
    ("indeterminate_datatype", INDETERMINATE_DATATYPE),
    ("collation_mismatch", COLLATION_MISMATCH),
    ("indeterminate_collation", INDETERMINATE_COLLATION),
    ("wrong_object_type", WRONG_OBJECT_TYPE),
    ("generated_always", GENERATED_ALWAYS),
    ("undefined_column", UNDEFINED_COLUMN),
    ("", UNDEFINED_CURSOR),
    ("", UNDEFINED_DATABASE),
    ("undefined_function", UNDEFINED_FUNCTION),
    ("", UNDEFINED_PSTATEMENT),
    ("", UNDEFINED_SCHEMA),
    ("undefined_table", UNDEFINED_TABLE),
    ("undefined_parameter", UNDEFINED_PARAMETER),
    ("undefined_object", UNDEFINED_OBJECT),
    ("duplicate_column", DUPLICATE_COLUMN),
    ("duplicate_cursor", DUPLICATE_CURSOR),
    ("duplicate_database", DUPLICATE_DATABASE),
    ("duplicate_function", DUPLICATE_FUNCTION),
    ("duplicate_prepared_statement", DUPLICATE_PSTATEMENT),
    ("duplicate_schema", DUPLICATE_SCHEMA),
    ("duplicate_table", DUPLICATE_TABLE),
    ("duplicate_alias", DUPLICATE_ALIAS),
    ("duplicate_object", DUPLICATE_OBJECT),
    ("ambiguous_column", AMBIGUOUS_COLUMN),
    ("ambiguous_function", AMBIGUOUS_FUNCTION),
    ("ambiguous_parameter", AMBIGUOUS_PARAMETER),
    ("ambiguous_alias", AMBIGUOUS_ALIAS),
    ("invalid_column_reference", INVALID_COLUMN_REFERENCE),
    ("invalid_column_definition", INVALID_COLUMN_DEFINITION),
    ("invalid_cursor_definition", INVALID_CURSOR_DEFINITION),
    ("invalid_database_definition", INVALID_DATABASE_DEFINITION),
    ("invalid_function_definition", INVALID_FUNCTION_DEFINITION),
    ("invalid_prepared_statement_definition", INVALID_PSTATEMENT_DEFINITION),
    ("invalid_schema_definition", INVALID_SCHEMA_DEFINITION),
    ("invalid_table_definition", INVALID_TABLE_DEFINITION),
    ("invalid_object_definition", INVALID_OBJECT_DEFINITION),
    ("with_check_option_violation", WITH_CHECK_OPTION_VIOLATION),
    ("insufficient_resources", INSUFFICIENT_RESOURCES),
    ("disk_full", DISK_FULL),
    ("out_of_memory", OUT_OF_MEMORY),
    ("too_many_connections", TOO_MANY_CONNECTIONS),
    ("configuration_limit_exceeded", CONFIGURATION_LIMIT_EXCEEDED),
    ("program_limit_exceeded", PROGRAM_LIMIT_EXCEEDED),
    ("statement_too_complex", STATEMENT_TOO_COMPLEX),
    ("too_many_columns", TOO_MANY_COLUMNS),
    ("too_many_arguments", TOO_MANY_ARGUMENTS),
    ("object_not_in_prerequisite_state", OBJECT_NOT_IN_PREREQUISITE_STATE),
    ("object_in_use", OBJECT_IN_USE),
    ("cant_change_runtime_param", CANT_CHANGE_RUNTIME_PARAM),
    ("lock_not_available", LOCK_NOT_AVAILABLE),
    ("unsafe_new_enum_value_usage", UNSAFE_NEW_ENUM_VALUE_USAGE),
    ("operator_intervention", OPERATOR_INTERVENTION),
    ("query_canceled", QUERY_CANCELED),
    ("admin_shutdown", ADMIN_SHUTDOWN),
    ("crash_shutdown", CRASH_SHUTDOWN),
    ("cannot_connect_now", CANNOT_CONNECT_NOW),
    ("database_dropped", DATABASE_DROPPED),
    ("idle_session_timeout", IDLE_SESSION_TIMEOUT),
    ("system_error", SYSTEM_ERROR),
    ("io_error", IO_ERROR),
    ("undefined_file", UNDEFINED_FILE),
    ("duplicate_file", DUPLICATE_FILE),
    ("file_name_too_long", FILE_NAME_TOO_LONG),
    ("config_file_error", CONFIG_FILE_ERROR),
    ("lock_file_exists", LOCK_FILE_EXISTS),
    ("fdw_error", FDW_ERROR),
    ("fdw_column_name_not_found", FDW_COLUMN_NAME_NOT_FOUND),
    ("fdw_dynamic_parameter_value_needed", FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
    ("fdw_function_sequence_error", FDW_FUNCTION_SEQUENCE_ERROR),
    ("fdw_inconsistent_descriptor_information", FDW_INCONSISTENT_DESCRIPTOR_INFORMATION),
    ("fdw_invalid_attribute_value", FDW_INVALID_ATTRIBUTE_VALUE),
    ("fdw_invalid_column_name", FDW_INVALID_COLUMN_NAME),
    ("fdw_invalid_column_number", FDW_INVALID_COLUMN_NUMBER),
    ("fdw_invalid_data_type", FDW_INVALID_DATA_TYPE),
    ("fdw_invalid_data_type_descriptors", FDW_INVALID_DATA_TYPE_DESCRIPTORS),
    ("fdw_invalid_descriptor_field_identifier", FDW_INVALID_DESCRIPTOR_FIELD_IDENTIFIER),
    ("fdw_invalid_handle", FDW_INVALID_HANDLE),
    ("fdw_invalid_option_index", FDW_INVALID_OPTION_INDEX),
    ("fdw_invalid_option_name", FDW_INVALID_OPTION_NAME),
    ("fdw_invalid_string_length_or_buffer_length", FDW_INVALID_STRING_LENGTH_OR_BUFFER_LENGTH),
    ("fdw_invalid_string_format", FDW_INVALID_STRING_FORMAT),
    ("fdw_invalid_use_of_null_pointer", FDW_INVALID_USE_OF_NULL_POINTER),
    ("fdw_too_many_handles", FDW_TOO_MANY_HANDLES),
    ("fdw_out_of_memory", FDW_OUT_OF_MEMORY),
    ("fdw_no_schemas", FDW_NO_SCHEMAS),
    ("fdw_option_name_not_found", FDW_OPTION_NAME_NOT_FOUND),
    ("fdw_reply_handle", FDW_REPLY_HANDLE),
    ("fdw_schema_not_found", FDW_SCHEMA_NOT_FOUND),
    ("fdw_table_not_found", FDW_TABLE_NOT_FOUND),
    ("fdw_unable_to_create_execution", FDW_UNABLE_TO_CREATE_EXECUTION),
    ("fdw_unable_to_create_reply", FDW_UNABLE_TO_CREATE_REPLY),
    ("fdw_unable_to_establish_connection", FDW_UNABLE_TO_ESTABLISH_CONNECTION),
    ("plpgsql_error", PLPGSQL_ERROR),
    ("raise_exception", RAISE_EXCEPTION),
    ("no_data_found", NO_DATA_FOUND),
    ("too_many_rows", TOO_MANY_ROWS),
    ("assert_failure", ASSERT_FAILURE),
    ("internal_error", INTERNAL_ERROR),
    ("data_corrupted", DATA_CORRUPTED),
    ("index_corrupted", INDEX_CORRUPTED),
];
