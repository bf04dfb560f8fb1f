windlass_test(devchain_test LABEL unit SOURCES unit/devchain_test.cpp unit/devchain_capture_test.cpp
  LINK windlass_devchain)
