windlass_test(anchoring_test LABEL unit
  SOURCES unit/anchoring_world.cpp unit/anchor_worker_test.cpp unit/deposit_scanner_test.cpp
  LINK windlass_anchoring windlass_devchain)
