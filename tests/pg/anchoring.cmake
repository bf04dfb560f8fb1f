windlass_test(anchoring_pg_test LABEL pg
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/cluster.cpp ${CMAKE_CURRENT_LIST_DIR}/anchoring_store_test.cpp
  LINK anchoring_world windlass_anchoring_edge windlass_devchain windlass_journal)
