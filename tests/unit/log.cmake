windlass_test(log_test LABEL unit
  SOURCES unit/log_merkle_test.cpp unit/log_note_test.cpp unit/log_tiles_test.cpp
  LINK windlass_log)
