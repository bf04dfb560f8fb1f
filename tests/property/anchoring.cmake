# The anchoring process through hours of random faults, in virtual time.
windlass_test(anchoring_property_test LABEL property TIMEOUT 1800
  SOURCES property/anchoring_property_test.cpp unit/anchoring_world.cpp
  LINK windlass_anchoring windlass_devchain)
