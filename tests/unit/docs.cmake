windlass_test(docs_test LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/docs_test.cpp LINK windlass_core)
