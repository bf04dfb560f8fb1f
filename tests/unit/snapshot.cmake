windlass_test(snapshot_test LABEL unit
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/snapshot_liabilities_test.cpp ${CMAKE_CURRENT_LIST_DIR}/snapshot_tree_test.cpp
  LINK windlass_snapshot)
