#include <gtest/gtest.h>

#include "ledger/sequencer/intake.h"

namespace windlass::sequencer {
namespace {

using core::Error;

constexpr Limits limits{.max_waiting_commands = 10,
                        .max_waiting_bytes = 20'000,
                        .max_waiting_commands_per_client = 6,
                        .max_round_commands = 4};

// What each holds does not matter here.
Submission of(ClientId client, std::size_t commands) {
  Commands all;
  all.items.resize(commands, tl::unexpected(Error::malformed_command));
  return {client, std::move(all), nullptr};
}

Submission of_bytes(ClientId client, std::size_t bytes) {
  codec::Decoded decoded;
  decoded.envelope.command.resize(bytes);
  Commands one;
  one.items.emplace_back(std::move(decoded));
  return {client, std::move(one), nullptr};
}

std::vector<ClientId> clients_of(const std::vector<Submission>& taken) {
  std::vector<ClientId> clients;
  for (const auto& submission : taken) clients.push_back(submission.client);
  return clients;
}

TEST(Intake, HoldsNoMoreOfOneClientThanItsShare) {
  Intake intake(limits);
  EXPECT_EQ(intake.put(of(1, 5)), Error::none);
  EXPECT_EQ(intake.room_for(1, 1), Error::none);
  EXPECT_EQ(intake.room_for(1, 2), Error::queue_full);
  EXPECT_EQ(intake.put(of(1, 2)), Error::queue_full);
  EXPECT_EQ(intake.put(of(2, 2)), Error::none) << "another's place";
  EXPECT_EQ(intake.waiting(), 7u);
}

TEST(Intake, HoldsNoMoreOfAllThanItsBound) {
  Intake intake(limits);
  EXPECT_EQ(intake.put(of(1, 6)), Error::none);
  EXPECT_EQ(intake.put(of(2, 4)), Error::none);
  EXPECT_EQ(intake.room_for(3, 1), Error::queue_full);
  EXPECT_EQ(intake.put(of(3, 1)), Error::queue_full);
  EXPECT_EQ(intake.room_for(3, 0), Error::none);
  intake.take();
  EXPECT_EQ(intake.room_for(3, 6), Error::none) << "what was taken made room";
  EXPECT_EQ(intake.put(of(3, 6)), Error::none);
}

TEST(Intake, HoldsNoMoreBytesThanItsBound) {
  Intake intake(limits);
  EXPECT_EQ(intake.put(of_bytes(1, 8'000)), Error::none);
  EXPECT_EQ(intake.room_for(1, 1), Error::none) << "of what nobody has looked at";
  EXPECT_EQ(intake.put(of_bytes(1, 8'000)), Error::queue_full);
  EXPECT_EQ(intake.put(of_bytes(1, 100)), Error::none);
}

TEST(Intake, GivesClientsTurnsAndKeepsTheOrderOfEach) {
  Intake intake(limits);
  for (ClientId client : {1, 1, 1, 2, 3}) EXPECT_EQ(intake.put(of(client, 1)), Error::none);
  EXPECT_EQ(clients_of(intake.take()), (std::vector<ClientId>{1, 2, 3, 1}));
  EXPECT_EQ(clients_of(intake.take()), (std::vector<ClientId>{1}));
  EXPECT_TRUE(intake.empty());
  EXPECT_EQ(intake.waiting(), 0u);
}

TEST(Intake, TakesNothingMoreOnceItDrains) {
  Intake intake(limits);
  EXPECT_EQ(intake.put(of(1, 1)), Error::none);
  intake.drain();
  EXPECT_EQ(intake.room_for(2, 1), Error::draining);
  EXPECT_EQ(intake.put(of(2, 1)), Error::draining);
  EXPECT_EQ(intake.take().size(), 1u) << "what it took stays";
}

}  // namespace
}  // namespace windlass::sequencer
