# Worker, scanner and a devchain with a ledger in memory, for every test that lives through something with them.
add_library(anchoring_world STATIC unit/anchoring_world.cpp)
target_link_libraries(anchoring_world PUBLIC windlass_options windlass_exchange windlass_devchain GTest::gmock GTest::gtest)
target_compile_options(anchoring_world PRIVATE ${test_options})
target_precompile_headers(anchoring_world REUSE_FROM windlass_test_pch)

windlass_test(anchoring_test LABEL unit
  SOURCES unit/anchor_contract_worker_test.cpp unit/anchor_worker_test.cpp unit/deposit_scanner_test.cpp
          unit/sweeper_test.cpp unit/withdrawal_payer_test.cpp
  LINK anchoring_world)
windlass_test(exchange_test LABEL unit
  SOURCES unit/exchange_test.cpp
  LINK anchoring_world)
windlass_test(exchange_grpc_test LABEL unit
  SOURCES unit/exchange_grpc_test.cpp
  LINK anchoring_world windlass_anchoring_edge windlass_grpc)
windlass_test(grpc_ledger_test LABEL unit
  SOURCES unit/grpc_ledger_test.cpp
  LINK windlass_anchoring_edge)
