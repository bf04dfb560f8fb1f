windlass_test(sequencer_task_pool_test LABEL unit
  SOURCES unit/sequencer_task_pool_test.cpp
  LINK windlass_sequencer)
