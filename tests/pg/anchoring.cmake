windlass_test(anchoring_pg_test LABEL pg
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/cluster.cpp ${CMAKE_CURRENT_LIST_DIR}/anchoring_store_test.cpp
          unit/anchoring_world.cpp
  LINK windlass_anchoring_edge windlass_devchain windlass_journal)
