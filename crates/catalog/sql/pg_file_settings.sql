SELECT sourcefile, sourceline, seqno, name, setting, applied, error
FROM pg_catalog.pg_show_all_file_settings()
