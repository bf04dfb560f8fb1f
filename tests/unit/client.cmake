windlass_test(client_test LABEL unit
  SOURCES unit/client_amounts_test.cpp unit/client_history_test.cpp unit/client_json_test.cpp
          unit/client_liabilities_test.cpp unit/client_split_view_test.cpp unit/client_statement_test.cpp
          unit/client_trace_test.cpp unit/client_verify_test.cpp
  LINK windlass_demo windlass_client)
