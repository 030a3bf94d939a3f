//! OIDs of the system catalogs and other objects that code names.

use common::Oid;

/// `pg_aggregate`.
pub const PG_AGGREGATE: Oid = Oid(2600);
/// `pg_am`.
pub const PG_AM: Oid = Oid(2601);
/// `pg_amop`.
pub const PG_AMOP: Oid = Oid(2602);
/// `pg_amproc`.
pub const PG_AMPROC: Oid = Oid(2603);
/// `pg_attrdef`.
pub const PG_ATTRDEF: Oid = Oid(2604);
/// `pg_attribute`.
pub const PG_ATTRIBUTE: Oid = Oid(1249);
/// `pg_auth_members`.
pub const PG_AUTH_MEMBERS: Oid = Oid(1261);
/// `pg_authid`.
pub const PG_AUTHID: Oid = Oid(1260);
/// `pg_cast`.
pub const PG_CAST: Oid = Oid(2605);
/// `pg_class`.
pub const PG_CLASS: Oid = Oid(1259);
/// `pg_collation`.
pub const PG_COLLATION: Oid = Oid(3456);
/// `pg_constraint`.
pub const PG_CONSTRAINT: Oid = Oid(2606);
/// `pg_conversion`.
pub const PG_CONVERSION: Oid = Oid(2607);
/// `pg_database`.
pub const PG_DATABASE: Oid = Oid(1262);
/// `pg_db_role_setting`.
pub const PG_DB_ROLE_SETTING: Oid = Oid(2964);
/// `pg_default_acl`.
pub const PG_DEFAULT_ACL: Oid = Oid(826);
/// `pg_depend`.
pub const PG_DEPEND: Oid = Oid(2608);
/// `pg_description`.
pub const PG_DESCRIPTION: Oid = Oid(2609);
/// `pg_enum`.
pub const PG_ENUM: Oid = Oid(3501);
/// `pg_event_trigger`.
pub const PG_EVENT_TRIGGER: Oid = Oid(3466);
/// `pg_extension`.
pub const PG_EXTENSION: Oid = Oid(3079);
/// `pg_foreign_data_wrapper`.
pub const PG_FOREIGN_DATA_WRAPPER: Oid = Oid(2328);
/// `pg_foreign_server`.
pub const PG_FOREIGN_SERVER: Oid = Oid(1417);
/// `pg_foreign_table`.
pub const PG_FOREIGN_TABLE: Oid = Oid(3118);
/// `pg_index`.
pub const PG_INDEX: Oid = Oid(2610);
/// `pg_inherits`.
pub const PG_INHERITS: Oid = Oid(2611);
/// `pg_init_privs`.
pub const PG_INIT_PRIVS: Oid = Oid(3394);
/// `pg_language`.
pub const PG_LANGUAGE: Oid = Oid(2612);
/// `pg_largeobject`.
pub const PG_LARGEOBJECT: Oid = Oid(2613);
/// `pg_largeobject_metadata`.
pub const PG_LARGEOBJECT_METADATA: Oid = Oid(2995);
/// `pg_namespace`.
pub const PG_NAMESPACE: Oid = Oid(2615);
/// `pg_opclass`.
pub const PG_OPCLASS: Oid = Oid(2616);
/// `pg_operator`.
pub const PG_OPERATOR: Oid = Oid(2617);
/// `pg_opfamily`.
pub const PG_OPFAMILY: Oid = Oid(2753);
/// `pg_parameter_acl`.
pub const PG_PARAMETER_ACL: Oid = Oid(6243);
/// `pg_partitioned_table`.
pub const PG_PARTITIONED_TABLE: Oid = Oid(3350);
/// `pg_policy`.
pub const PG_POLICY: Oid = Oid(3256);
/// `pg_proc`.
pub const PG_PROC: Oid = Oid(1255);
/// `pg_publication`.
pub const PG_PUBLICATION: Oid = Oid(6104);
/// `pg_publication_namespace`.
pub const PG_PUBLICATION_NAMESPACE: Oid = Oid(6237);
/// `pg_publication_rel`.
pub const PG_PUBLICATION_REL: Oid = Oid(6106);
/// `pg_range`.
pub const PG_RANGE: Oid = Oid(3541);
/// `pg_replication_origin`.
pub const PG_REPLICATION_ORIGIN: Oid = Oid(6000);
/// `pg_rewrite`.
pub const PG_REWRITE: Oid = Oid(2618);
/// `pg_seclabel`.
pub const PG_SECLABEL: Oid = Oid(3596);
/// `pg_sequence`.
pub const PG_SEQUENCE: Oid = Oid(2224);
/// `pg_shdepend`.
pub const PG_SHDEPEND: Oid = Oid(1214);
/// `pg_shdescription`.
pub const PG_SHDESCRIPTION: Oid = Oid(2396);
/// `pg_shseclabel`.
pub const PG_SHSECLABEL: Oid = Oid(3592);
/// `pg_statistic`.
pub const PG_STATISTIC: Oid = Oid(2619);
/// `pg_statistic_ext`.
pub const PG_STATISTIC_EXT: Oid = Oid(3381);
/// `pg_statistic_ext_data`.
pub const PG_STATISTIC_EXT_DATA: Oid = Oid(3429);
/// `pg_statistic_ext_oid_index`.
pub const PG_STATISTIC_EXT_OID_INDEX: Oid = Oid(3380);
/// `pg_statistic_ext_relid_index`.
pub const PG_STATISTIC_EXT_RELID_INDEX: Oid = Oid(3379);
/// `pg_statistic_ext_data_stxoid_inh_index`.
pub const PG_STATISTIC_EXT_DATA_STXOID_INH_INDEX: Oid = Oid(3433);
/// `pg_subscription`.
pub const PG_SUBSCRIPTION: Oid = Oid(6100);
/// `pg_subscription_rel`.
pub const PG_SUBSCRIPTION_REL: Oid = Oid(6102);
/// `pg_tablespace`.
pub const PG_TABLESPACE: Oid = Oid(1213);
/// `pg_transform`.
pub const PG_TRANSFORM: Oid = Oid(3576);
/// `pg_trigger`.
pub const PG_TRIGGER: Oid = Oid(2620);
/// `pg_ts_config`.
pub const PG_TS_CONFIG: Oid = Oid(3602);
/// `pg_ts_config_map`.
pub const PG_TS_CONFIG_MAP: Oid = Oid(3603);
/// `pg_ts_dict`.
pub const PG_TS_DICT: Oid = Oid(3600);
/// `pg_ts_parser`.
pub const PG_TS_PARSER: Oid = Oid(3601);
/// `pg_ts_template`.
pub const PG_TS_TEMPLATE: Oid = Oid(3764);
/// `pg_type`.
pub const PG_TYPE: Oid = Oid(1247);
/// `pg_user_mapping`.
pub const PG_USER_MAPPING: Oid = Oid(1418);
/// Schema `pg_catalog`.
pub const PG_CATALOG_NAMESPACE: Oid = Oid(11);
/// Schema `pg_toast`.
pub const PG_TOAST_NAMESPACE: Oid = Oid(99);
/// Schema `public`.
pub const PUBLIC_NAMESPACE: Oid = Oid(2200);
/// Schema `information_schema`.
pub const INFORMATION_SCHEMA_NAMESPACE: Oid = Oid(12421);
/// Role that owns the built-in objects.
pub const BOOTSTRAP_SUPERUSER: Oid = Oid(10);
/// Access method `heap`.
pub const HEAP_AM: Oid = Oid(2);
/// Access method `btree`.
pub const BTREE_AM: Oid = Oid(403);
/// Access method `gist`.
pub const GIST_AM: Oid = Oid(783);
/// Access method `hash`.
pub const HASH_AM: Oid = Oid(405);
/// Tablespace `pg_default`.
pub const DEFAULT_TABLESPACE: Oid = Oid(1663);
/// Tablespace `pg_global`.
pub const GLOBAL_TABLESPACE: Oid = Oid(1664);
/// Language `internal`.
pub const INTERNAL_LANGUAGE: Oid = Oid(12);
/// Language `c`.
pub const C_LANGUAGE: Oid = Oid(13);
/// Language `sql`.
pub const SQL_LANGUAGE: Oid = Oid(14);
/// Language `plpgsql`.
pub const PLPGSQL_LANGUAGE: Oid = Oid(12775);
/// Collation `default`.
pub const DEFAULT_COLLATION: Oid = Oid(100);
/// Collation `C`.
pub const C_COLLATION: Oid = Oid(950);
/// View `pg_settings`.
pub const PG_SETTINGS_VIEW: Oid = Oid(12104);
/// Index `pg_class_oid_index`.
pub const PG_CLASS_OID_INDEX: Oid = Oid(2662);
/// Index `pg_class_relname_nsp_index`.
pub const PG_CLASS_RELNAME_NSP_INDEX: Oid = Oid(2663);
/// Index `pg_attribute_relid_attnum_index`.
pub const PG_ATTRIBUTE_RELID_ATTNUM_INDEX: Oid = Oid(2659);
/// Index `pg_attribute_relid_attnam_index`.
pub const PG_ATTRIBUTE_RELID_ATTNAM_INDEX: Oid = Oid(2658);
/// Index `pg_type_oid_index`.
pub const PG_TYPE_OID_INDEX: Oid = Oid(2703);
/// Index `pg_type_typname_nsp_index`.
pub const PG_TYPE_TYPNAME_NSP_INDEX: Oid = Oid(2704);
/// Index `pg_namespace_nspname_index`.
pub const PG_NAMESPACE_NSPNAME_INDEX: Oid = Oid(2684);
/// Index `pg_namespace_oid_index`.
pub const PG_NAMESPACE_OID_INDEX: Oid = Oid(2685);
/// Index `pg_proc_oid_index`.
pub const PG_PROC_OID_INDEX: Oid = Oid(2690);
/// Index `pg_proc_proname_args_nsp_index`.
pub const PG_PROC_PRONAME_ARGS_NSP_INDEX: Oid = Oid(2691);
/// Index `pg_operator_oid_index`.
pub const PG_OPERATOR_OID_INDEX: Oid = Oid(2688);
/// Index `pg_operator_oprname_l_r_n_index`.
pub const PG_OPERATOR_OPRNAME_L_R_N_INDEX: Oid = Oid(2689);
/// Index `pg_cast_source_target_index`.
pub const PG_CAST_SOURCE_TARGET_INDEX: Oid = Oid(2661);
/// Index `pg_index_indexrelid_index`.
pub const PG_INDEX_INDEXRELID_INDEX: Oid = Oid(2679);
/// Index `pg_index_indrelid_index`.
pub const PG_INDEX_INDRELID_INDEX: Oid = Oid(2678);
/// Index `pg_constraint_conrelid_contypid_conname_index`.
pub const PG_CONSTRAINT_CONRELID_CONTYPID_CONNAME_INDEX: Oid = Oid(2665);
/// Index `pg_constraint_oid_index`.
pub const PG_CONSTRAINT_OID_INDEX: Oid = Oid(2667);
/// Index `pg_constraint_contypid_index`.
pub const PG_CONSTRAINT_CONTYPID_INDEX: Oid = Oid(2666);
/// Index `pg_constraint_conname_nsp_index`.
pub const PG_CONSTRAINT_CONNAME_NSP_INDEX: Oid = Oid(2664);
/// Index `pg_attrdef_adrelid_adnum_index`.
pub const PG_ATTRDEF_ADRELID_ADNUM_INDEX: Oid = Oid(2656);
/// Index `pg_attrdef_oid_index`.
pub const PG_ATTRDEF_OID_INDEX: Oid = Oid(2657);
/// Index `pg_depend_depender_index`.
pub const PG_DEPEND_DEPENDER_INDEX: Oid = Oid(2673);
/// Index `pg_depend_reference_index`.
pub const PG_DEPEND_REFERENCE_INDEX: Oid = Oid(2674);
/// Index `pg_rewrite_rel_rulename_index`.
pub const PG_REWRITE_REL_RULENAME_INDEX: Oid = Oid(2693);
/// Index `pg_rewrite_oid_index`.
pub const PG_REWRITE_OID_INDEX: Oid = Oid(2692);
/// Index `pg_inherits_relid_seqno_index`.
pub const PG_INHERITS_RELID_SEQNO_INDEX: Oid = Oid(2680);
/// Index `pg_inherits_parent_index`.
pub const PG_INHERITS_PARENT_INDEX: Oid = Oid(2187);
/// Index `pg_db_role_setting_databaseid_rol_index`.
pub const PG_DB_ROLE_SETTING_DATABASEID_ROL_INDEX: Oid = Oid(2965);
/// Index `pg_shdescription_o_c_index`.
pub const PG_SHDESCRIPTION_O_C_INDEX: Oid = Oid(2397);
/// Index `pg_sequence_seqrelid_index`.
pub const PG_SEQUENCE_SEQRELID_INDEX: Oid = Oid(5002);
/// Index `pg_enum_typid_sortorder_index`.
pub const PG_ENUM_TYPID_SORTORDER_INDEX: Oid = Oid(3534);
/// Index `pg_enum_oid_index`.
pub const PG_ENUM_OID_INDEX: Oid = Oid(3502);
/// Index `pg_enum_typid_label_index`.
pub const PG_ENUM_TYPID_LABEL_INDEX: Oid = Oid(3503);
/// Index `pg_description_o_c_o_index`.
pub const PG_DESCRIPTION_O_C_O_INDEX: Oid = Oid(2675);
/// Index `pg_authid_oid_index`.
pub const PG_AUTHID_OID_INDEX: Oid = Oid(2677);
/// Index `pg_authid_rolname_index`.
pub const PG_AUTHID_ROLNAME_INDEX: Oid = Oid(2676);
/// Index `pg_database_oid_index`.
pub const PG_DATABASE_OID_INDEX: Oid = Oid(2672);
/// Index `pg_database_datname_index`.
pub const PG_DATABASE_DATNAME_INDEX: Oid = Oid(2671);
/// Index `pg_statistic_relid_att_inh_index`.
pub const PG_STATISTIC_RELID_ATT_INH_INDEX: Oid = Oid(2696);
/// Index `pg_collation_oid_index`.
pub const PG_COLLATION_OID_INDEX: Oid = Oid(3085);
/// Index `pg_collation_name_enc_nsp_index`.
pub const PG_COLLATION_NAME_ENC_NSP_INDEX: Oid = Oid(3164);
/// Index `pg_trigger_tgrelid_tgname_index`.
pub const PG_TRIGGER_TGRELID_TGNAME_INDEX: Oid = Oid(2701);
/// Index `pg_trigger_oid_index`.
pub const PG_TRIGGER_OID_INDEX: Oid = Oid(2702);
/// Index `pg_trigger_tgconstraint_index`.
pub const PG_TRIGGER_TGCONSTRAINT_INDEX: Oid = Oid(2699);
/// Index `pg_policy_polrelid_polname_index`.
pub const PG_POLICY_POLRELID_POLNAME_INDEX: Oid = Oid(3258);
/// Index `pg_aggregate_fnoid_index`.
pub const PG_AGGREGATE_FNOID_INDEX: Oid = Oid(2650);
/// Index `pg_opclass_oid_index`.
pub const PG_OPCLASS_OID_INDEX: Oid = Oid(2687);
/// Index `pg_opclass_am_name_nsp_index`.
pub const PG_OPCLASS_AM_NAME_NSP_INDEX: Oid = Oid(2686);
/// Index `pg_opfamily_oid_index`.
pub const PG_OPFAMILY_OID_INDEX: Oid = Oid(2755);
/// Index `pg_amop_oid_index`.
pub const PG_AMOP_OID_INDEX: Oid = Oid(2756);
/// Index `pg_amproc_oid_index`.
pub const PG_AMPROC_OID_INDEX: Oid = Oid(2757);
/// Index `pg_amop_fam_strat_index`.
pub const PG_AMOP_FAM_STRAT_INDEX: Oid = Oid(2653);
/// Index `pg_amop_opr_fam_index`.
pub const PG_AMOP_OPR_FAM_INDEX: Oid = Oid(2654);
/// Index `pg_amproc_fam_proc_index`.
pub const PG_AMPROC_FAM_PROC_INDEX: Oid = Oid(2655);
/// Index `pg_range_rngtypid_index`.
pub const PG_RANGE_RNGTYPID_INDEX: Oid = Oid(3542);
/// Index `pg_auth_members_member_role_index`.
pub const PG_AUTH_MEMBERS_MEMBER_ROLE_INDEX: Oid = Oid(2695);
/// Index `pg_shdepend_depender_index`.
pub const PG_SHDEPEND_DEPENDER_INDEX: Oid = Oid(1232);
/// Index `pg_shdepend_reference_index`.
pub const PG_SHDEPEND_REFERENCE_INDEX: Oid = Oid(1233);
/// Index `pg_language_oid_index`.
pub const PG_LANGUAGE_OID_INDEX: Oid = Oid(2682);
/// Index `pg_tablespace_oid_index`.
pub const PG_TABLESPACE_OID_INDEX: Oid = Oid(2697);
/// Index `pg_partitioned_table_partrelid_index`.
pub const PG_PARTITIONED_TABLE_PARTRELID_INDEX: Oid = Oid(3351);
