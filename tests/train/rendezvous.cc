#include "lastbit/train/rendezvous.h"

#include <map>
#include <mutex>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "rings.h"
#include "support.h"

namespace lastbit {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

// Places of a run on this machine, whose worker 0 listens already on a port of its own.
std::vector<WorkerPlace> places(int size) {
  Socket door = listen_on(0, /*loopback=*/true);
  std::vector<WorkerPlace> result;
  for (int rank = 0; rank < size; ++rank) {
    result.push_back({.rank = rank, .size = size, .address = "127.0.0.1", .port = door.port()});
  }
  result[0].listener = ::dup(door.descriptor());
  return result;
}

TEST(Rendezvous, JoinsTheWorkersInTheirOrder) {
  for (const int size : {2, 3, 4}) {
    const std::vector<WorkerPlace> all = places(size);
    at_once(size, [&](int rank) {
      Ring ring = join_ring(all[static_cast<std::size_t>(rank)], 7, seconds(20));
      EXPECT_EQ(ring.rank(), rank);
      EXPECT_EQ(ring.size(), size);
      std::vector<float> ranks(static_cast<std::size_t>(size), 0.0F);
      ranks[static_cast<std::size_t>(rank)] = static_cast<float>(rank);
      ring.sum(ranks);
      for (int i = 0; i < size; ++i) EXPECT_EQ(ranks[static_cast<std::size_t>(i)], i);
    });
  }
}

TEST(Rendezvous, LetsStrangersGo) {
  const std::vector<WorkerPlace> all = places(2);
  const auto soon = std::chrono::steady_clock::now() + seconds(20);
  const std::string text = "GET / HTTP/1.1\r\nHost: somewhere.example.org:29500\r\n\r\n";
  const Socket rubbish = connect_to("127.0.0.1", all[0].port, soon);
  ASSERT_TRUE(send_all(rubbish, std::as_bytes(std::span(text)), soon));
  { const Socket gone = connect_to("127.0.0.1", all[0].port, soon); }
  at_once(2, [&](int rank) {
    Ring ring = join_ring(all[static_cast<std::size_t>(rank)], 7, seconds(20));
    std::vector<float> one = {1.0F};
    ring.sum(one);
    EXPECT_EQ(one[0], 2.0F);
  });
}

TEST(Rendezvous, NamesThoseThatDoNotCome) {
  const std::vector<WorkerPlace> all = places(4);
  std::string first;
  std::string other;
  at_once(2, [&](int i) {
    const int rank = 2 * i;
    const std::string said = message_of<WorkError>(
        [&] { join_ring(all[static_cast<std::size_t>(rank)], 7, milliseconds(100)); });
    (rank == 0 ? first : other) = said;
  });
  EXPECT_EQ(first, "[workers] of 4 workers these did not come within 0.1 s: 1, 3");
  EXPECT_THAT(other, HasSubstr("[workers] worker 0 at 127.0.0.1 port "));
}

TEST(Rendezvous, RefusesWorkersOfAnotherRun) {
  std::vector<WorkerPlace> all = places(2);
  const auto said_with = [&](const std::function<void(WorkerPlace&, std::uint64_t&)>& change) {
    std::vector<WorkerPlace> changed = places(2);
    std::vector<std::string> said(2);
    at_once(2, [&](int rank) {
      WorkerPlace place = changed[static_cast<std::size_t>(rank)];
      std::uint64_t run = 7;
      if (rank == 1) change(place, run);
      said[static_cast<std::size_t>(rank)] =
          message_of<InputError>([&] { join_ring(place, run, seconds(20)); });
    });
    EXPECT_EQ(said[0], said[1]);
    return said[0];
  };
  EXPECT_EQ(said_with([](WorkerPlace&, std::uint64_t& run) { run = 8; }),
            "[workers] worker 1 was started with other options than worker 0");
  EXPECT_EQ(said_with([](WorkerPlace& place, std::uint64_t&) { place.size = 3; }),
            "[workers] worker 1 is one of 3, worker 0 one of 2");
  EXPECT_EQ(said_with([](WorkerPlace& place, std::uint64_t&) {
              place.rank = 5;
              place.size = 2;
            }),
            "[workers] two workers say that they are worker 5");
}

TEST(Rendezvous, SaysThatNobodyListens) {
  const WorkerPlace place{.rank = 1, .size = 2, .address = "127.0.0.1", .port = 1};
  EXPECT_THAT(message_of<WorkError>([&] { join_ring(place, 7, milliseconds(50)); }),
              HasSubstr("[workers] cannot reach a worker at 127.0.0.1 port 1: "));
}

using Variables = std::map<std::string, std::string>;

std::optional<WorkerPlace> place_in(const Variables& variables) {
  return worker_place([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(WorkerPlace, IsThatOfTorchrun) {
  Variables variables = {{"RANK", "5"},
                         {"WORLD_SIZE", "8"},
                         {"LOCAL_RANK", "1"},
                         {"LOCAL_WORLD_SIZE", "4"},
                         {"MASTER_ADDR", "node1"},
                         {"MASTER_PORT", "1234"}};
  const auto place = place_in(variables);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->rank, 5);
  EXPECT_EQ(place->size, 8);
  EXPECT_EQ(place->local_rank, 1);
  EXPECT_EQ(place->local_size, 4);
  EXPECT_EQ(place->address, "node1");
  EXPECT_EQ(place->port, 1234);
  // torchrun's own store has the port.
  variables["TORCHELASTIC_USE_AGENT_STORE"] = "True";
  EXPECT_EQ(place_in(variables)->port, 1235);
}

TEST(WorkerPlace, IsThatOfMpirun) {
  const Variables variables = {{"OMPI_COMM_WORLD_RANK", "2"},
                               {"OMPI_COMM_WORLD_SIZE", "4"},
                               {"OMPI_COMM_WORLD_LOCAL_RANK", "2"},
                               {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"},
                               {"SLURM_PROCID", "0"},  // of the srun that mpirun calls
                               {"SLURM_NTASKS", "4"},
                               {"SLURM_STEP_ID", "0"}};
  const auto place = place_in(variables);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->rank, 2);
  EXPECT_EQ(place->local_rank, 2);
  EXPECT_EQ(place->address, "127.0.0.1");
  EXPECT_EQ(place->port, 29500);
}

TEST(WorkerPlace, IsThatOfSrun) {
  Variables variables = {{"SLURM_PROCID", "3"},
                         {"SLURM_NTASKS", "4"},
                         {"SLURM_LOCALID", "1"},
                         {"SLURM_STEP_ID", "0"},
                         {"SLURM_JOB_ID", "123456"},
                         {"SLURM_LAUNCH_NODE_IPADDR", "10.0.0.9"}};
  EXPECT_EQ(place_in(variables)->address, "10.0.0.9");
  EXPECT_EQ(place_in(variables)->rank, 3);
  EXPECT_EQ(place_in(variables)->local_rank, 1);
  EXPECT_EQ(place_in(variables)->port, 23456);
  const std::map<std::string, std::string> firsts = {
      {"gpu[03-07,12]", "gpu03"}, {"gpu[12]", "gpu12"}, {"a3,a4", "a3"}, {"login", "login"}};
  for (const auto& [nodes, first] : firsts) {
    variables["SLURM_STEP_NODELIST"] = nodes;
    EXPECT_EQ(place_in(variables)->address, first);
  }
  variables["MASTER_ADDR"] = "node1";
  EXPECT_EQ(place_in(variables)->address, "node1");
  variables.erase("SLURM_STEP_ID");  // a batch script, which is no task of srun
  EXPECT_FALSE(place_in(variables));
}

TEST(WorkerPlace, IsNoneForOneAlone) {
  EXPECT_FALSE(place_in({}));
  EXPECT_FALSE(place_in({{"RANK", "0"}, {"WORLD_SIZE", "1"}}));
  EXPECT_FALSE(place_in({{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "1"}}));
  EXPECT_FALSE(place_in({{"MASTER_ADDR", "node1"}, {"MASTER_PORT", "29500"}}));
}

TEST(WorkerPlace, RefusesWhatIsMissingOrContradicts) {
  const auto refusal = [](const Variables& variables) {
    return message_of<InputError>([&] { place_in(variables); });
  };
  const Variables whole = {
      {"RANK", "1"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", "2"}};
  EXPECT_EQ(refusal(whole), "nothing was thrown");
  for (const char* name : {"RANK", "MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE"}) {
    Variables lacking = whole;
    lacking.erase(name);
    EXPECT_THAT(refusal(lacking), HasSubstr(cat(" without ", name)));
  }
  const auto changed = [&](const std::string& name, const std::string& value) {
    Variables result = whole;
    result[name] = value;
    return refusal(result);
  };
  EXPECT_EQ(changed("RANK", "2"),
            "[workers] the environment has RANK='2', expected a number from 0 to 1");
  EXPECT_EQ(changed("RANK", "one"),
            "[workers] the environment has RANK='one', expected a number from 0 to 1");
  EXPECT_EQ(changed("WORLD_SIZE", "0"),
            "[workers] the environment has WORLD_SIZE='0', expected a number from 1 to 65536");
  EXPECT_EQ(changed("MASTER_PORT", "70000"),
            "[workers] the environment has MASTER_PORT='70000', expected a number from 1 to 65535");
  EXPECT_EQ(changed("LOCAL_WORLD_SIZE", "9"),
            "[workers] the environment has LOCAL_WORLD_SIZE='9', expected a number from 1 to 2");
  EXPECT_THAT(refusal({{"OMPI_COMM_WORLD_RANK", "1"},
                       {"OMPI_COMM_WORLD_SIZE", "8"},
                       {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"}}),
              HasSubstr("several machines, expected MASTER_ADDR"));
  EXPECT_THAT(refusal({{"SLURM_PROCID", "1"}, {"SLURM_NTASKS", "2"}, {"SLURM_STEP_ID", "0"}}),
              HasSubstr("SLURM_PROCID without SLURM_STEP_NODELIST"));
}

}  // namespace
}  // namespace lastbit
