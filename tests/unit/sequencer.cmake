windlass_test(sequencer_task_pool_test LABEL unit
  SOURCES unit/sequencer_task_pool_test.cpp
  LINK windlass_sequencer)
windlass_test(sequencer_intake_test LABEL unit
  SOURCES unit/sequencer_intake_test.cpp
  LINK windlass_sequencer)
