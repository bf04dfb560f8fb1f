# The core against a model of it, and its tables against a storage: random commands, replayable by seed. The time-out
# leaves room for long runs (WINDLASS_PROPERTY_COMMANDS).
windlass_test(core_property_test LABEL property TIMEOUT 1800
  SOURCES property/core_property_test.cpp property/core_commands.cpp property/core_model.cpp
  LINK windlass_core fmt::fmt)
windlass_test(core_cache_test LABEL property TIMEOUT 1800
  SOURCES property/core_cache_test.cpp property/core_commands.cpp property/core_model.cpp
  LINK windlass_core fmt::fmt)
