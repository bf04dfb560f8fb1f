windlass_test(ledger_pg_test LABEL pg
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/cluster.cpp ${CMAKE_CURRENT_LIST_DIR}/journal_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/log_keeper_test.cpp ${CMAKE_CURRENT_LIST_DIR}/sequencer_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/snapshot_test.cpp
  LINK windlass_sequencer windlass_snapshot proto_btfs)
