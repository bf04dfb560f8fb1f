windlass_test(ops_test LABEL unit
  SOURCES unit/ops_config_test.cpp unit/ops_key_file_test.cpp unit/ops_log_test.cpp unit/ops_metrics_test.cpp
          unit/ops_stop_signal_test.cpp
  LINK windlass_ops)
