windlass_test(anchoring_test LABEL unit
  SOURCES unit/anchoring_world.cpp unit/anchor_contract_worker_test.cpp unit/anchor_worker_test.cpp unit/deposit_scanner_test.cpp
  LINK windlass_anchoring windlass_devchain)
windlass_test(grpc_ledger_test LABEL unit
  SOURCES unit/grpc_ledger_test.cpp
  LINK windlass_anchoring_edge)
