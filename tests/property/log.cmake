windlass_test(log_property_test LABEL property
  SOURCES property/log_property_test.cpp
  LINK windlass_log)
