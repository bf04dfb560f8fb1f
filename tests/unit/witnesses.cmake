windlass_test(witnesses_test LABEL unit
  SOURCES unit/witnesses_test.cpp
  LINK windlass_witnesses windlass_http)
