#include "lastbit/data/download.h"

#include <csignal>
#include <sys/resource.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/data/sha256.h"
#include "tests/data/files.h"
#include "tests/data/http_server.h"

namespace lastbit {
namespace {

using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string noise(std::size_t size) {
  Random random(11);
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text.push_back(static_cast<char>(random.next()));
  return text;
}

std::string hash_of(const std::string& text) { return sha256(std::as_bytes(std::span(text))); }

class Fetch : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("no_proxy", "127.0.0.1", 1);
    options_.folder = folder_.path() / "set";
    options_.timeout_s = 5;
    options_.sleep = [this](double seconds) { pauses_.push_back(seconds); };
  }

  void fetch(const HttpServer& server) { fetch_from(server.url()); }
  void fetch_from(const std::string& url) {
    options_.base_url = url;
    const RemoteFile file{.name = "a.gz", .sha256 = hash_, .size = whole_.size()};
    fetch_files(std::span(&file, 1), options_);
  }
  std::string error(const HttpServer& server) {
    return error_of<InputError>([&] { fetch(server); });
  }
  std::string got() const { return folder_.read("set/a.gz"); }
  std::string part() const { return folder_.read("set/a.gz.part"); }
  bool has(const std::string& name) const {
    return std::filesystem::exists(options_.folder / name);
  }

  TempFolder folder_;
  const std::string whole_ = noise(200'000);
  const std::string hash_ = hash_of(whole_);
  FetchOptions options_;
  std::vector<double> pauses_;
};

TEST(Sha256, AgreesWithTheStandardsExamples) {
  // FIPS 180-4, examples of NIST's CSRC.
  EXPECT_EQ(hash_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_F(Fetch, DownloadsAFileAndReportsProgress) {
  const HttpServer server([&](const std::string&) { return http("200 OK", whole_); });
  std::vector<std::uint64_t> done;
  options_.progress = [&](const FetchProgress& progress) {
    EXPECT_EQ(progress.file, "a.gz");
    EXPECT_EQ(progress.size, whole_.size());
    done.push_back(progress.done);
  };
  fetch(server);
  EXPECT_EQ(got(), whole_);
  EXPECT_FALSE(has("a.gz.part"));
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
  ASSERT_FALSE(done.empty());
  EXPECT_EQ(done.back(), whole_.size());
  ASSERT_THAT(server.requests(), SizeIs(1));
  EXPECT_THAT(server.requests()[0], HasSubstr("GET /files/a.gz HTTP/1.1"));
}

TEST_F(Fetch, LeavesAFileWithTheRightHashAlone) {
  const HttpServer server([&](const std::string&) { return http("200 OK", whole_); });
  folder_.write("set/a.gz", whole_);
  fetch(server);
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(Fetch, ReplacesAFileWithAnotherHash) {
  const HttpServer server([&](const std::string&) { return http("200 OK", whole_); });
  std::string damaged = whole_;
  damaged[5] ^= 1;
  folder_.write("set/a.gz", damaged);
  fetch(server);
  EXPECT_EQ(got(), whole_);
}

TEST_F(Fetch, ContinuesWhatAnEarlierCallLeft) {
  const HttpServer server([&](const std::string& request) { return http_range(request, whole_); });
  folder_.write("set/a.gz.part", whole_.substr(0, 150'000));
  fetch(server);
  EXPECT_EQ(got(), whole_);
  ASSERT_THAT(server.requests(), SizeIs(1));
  EXPECT_EQ(range_of(server.requests()[0]), 150'000U);
}

TEST_F(Fetch, ContinuesWhereTheConnectionBroke) {
  int calls = 0;
  const HttpServer server([&](const std::string& request) {
    const std::string answer = http_range(request, whole_);
    return ++calls <= 2 ? answer.substr(0, 50'000) : answer;
  });
  fetch(server);
  EXPECT_EQ(got(), whole_);
  EXPECT_THAT(pauses_, ElementsAre(DoubleNear(0.2, 1e-9), DoubleNear(0.4, 1e-9)));
  EXPECT_GT(range_of(server.requests()[2]), range_of(server.requests()[1]));
}

TEST_F(Fetch, StartsAnewWhereTheServerIgnoresRanges) {
  const HttpServer server([&](const std::string&) { return http("200 OK", whole_); });
  folder_.write("set/a.gz.part", "stale bytes of another file");
  fetch(server);
  EXPECT_EQ(got(), whole_);
}

TEST_F(Fetch, StartsAnewAfter416) {
  const HttpServer server([&](const std::string& request) {
    return range_of(request) > 0 ? http("416 Range Not Satisfiable", "no") : http("200 OK", whole_);
  });
  folder_.write("set/a.gz.part", whole_.substr(0, 1000));
  fetch(server);
  EXPECT_EQ(got(), whole_);
  EXPECT_THAT(server.requests(), SizeIs(2));
}

TEST_F(Fetch, StartsAnewWhereTheServerSendsAnotherRange) {
  const HttpServer server([&](const std::string& request) {
    if (range_of(request) == 0) return http("200 OK", whole_);
    return http("206 Partial Content", whole_, "Content-Range: bytes 0-199999/200000\r\n");
  });
  folder_.write("set/a.gz.part", whole_.substr(0, 1000));
  fetch(server);
  EXPECT_EQ(got(), whole_);
}

TEST_F(Fetch, DropsAPartThatIsTooLong) {
  const HttpServer server([&](const std::string& request) { return http_range(request, whole_); });
  folder_.write("set/a.gz.part", whole_ + "x");
  fetch(server);
  EXPECT_EQ(got(), whole_);
  EXPECT_EQ(range_of(server.requests()[0]), 0U);
}

TEST_F(Fetch, RepeatsAfterAServersError) {
  int calls = 0;
  const HttpServer server([&](const std::string&) {
    return ++calls <= 2 ? http("503 Service Unavailable", "busy") : http("200 OK", whole_);
  });
  fetch(server);
  EXPECT_EQ(got(), whole_);
  EXPECT_THAT(server.requests(), SizeIs(3));
}

TEST_F(Fetch, GivesUpAfterTheGivenNumberOfRetries) {
  const HttpServer server(
      [&](const std::string&) { return http("503 Service Unavailable", "busy"); });
  options_.retries = 3;
  EXPECT_THAT(error(server),
              AllOf(HasSubstr(server.url() + "/a.gz"),
                    HasSubstr("the server answers 503; gave up after 4 attempts")));
  EXPECT_THAT(server.requests(), SizeIs(4));
  EXPECT_THAT(pauses_, SizeIs(3));
  EXPECT_TRUE(std::filesystem::is_empty(options_.folder));
}

TEST_F(Fetch, KeepsWhatArrivedWhenItGivesUp) {
  const HttpServer server(
      [&](const std::string&) { return http("200 OK", whole_).substr(0, 70'000); });
  options_.retries = 0;
  EXPECT_THAT(error(server), HasSubstr("gave up after 1 attempt"));
  EXPECT_GT(part().size(), 60'000U);
  EXPECT_EQ(part(), whole_.substr(0, part().size()));
}

TEST_F(Fetch, NoticesABodyThatEndsEarlyWithoutASign) {
  const HttpServer server(
      [&](const std::string&) { return http("200 OK", whole_.substr(0, 900)); });
  options_.retries = 1;
  EXPECT_THAT(error(server), HasSubstr("the server ended after 900 of 200000 bytes"));
}

TEST_F(Fetch, RepeatsWhereTheServerClosesAtOnce) {
  int calls = 0;
  const HttpServer server(
      [&](const std::string&) { return ++calls == 1 ? std::string() : http("200 OK", whole_); });
  fetch(server);
  EXPECT_EQ(got(), whole_);
}

TEST_F(Fetch, DoesNotRepeatA404) {
  const HttpServer server([&](const std::string&) { return http("404 Not Found", "none here"); });
  EXPECT_THAT(error(server), HasSubstr("/a.gz: the server answers 404 (not found)"));
  EXPECT_THAT(server.requests(), SizeIs(1));
  EXPECT_THAT(pauses_, IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(options_.folder));
}

TEST_F(Fetch, RemovesAFileWithTheWrongHash) {
  const std::string wrong(whole_.size(), 'w');
  const HttpServer server([&](const std::string&) { return http("200 OK", wrong); });
  EXPECT_THAT(error(server),
              AllOf(HasSubstr("has SHA-256 " + hash_of(wrong)), HasSubstr("expected " + hash_)));
  EXPECT_TRUE(std::filesystem::is_empty(options_.folder));
}

TEST_F(Fetch, StopsABodyThatIsTooLarge) {
  const std::string huge = whole_ + noise(100);
  const HttpServer server([&](const std::string&) { return http("200 OK", huge); });
  EXPECT_THAT(error(server), HasSubstr("sends more than the expected 200000 bytes"));
  EXPECT_TRUE(std::filesystem::is_empty(options_.folder));
}

TEST_F(Fetch, FollowsARedirection) {
  const HttpServer server([&](const std::string& request) {
    if (request.starts_with("GET /other")) return http("200 OK", whole_);
    return http("302 Found", "moved", "Location: /other/a.gz\r\n");
  });
  fetch(server);
  EXPECT_EQ(got(), whole_);
}

TEST_F(Fetch, FollowsNoRedirectionToAnotherProtocol) {
  const auto secret = folder_.write("secret", whole_);
  const HttpServer server([&](const std::string&) {
    return http("302 Found", "moved", "Location: file://" + secret.string() + "\r\n");
  });
  EXPECT_THAT(error(server), HasSubstr("rotocol"));
  EXPECT_FALSE(has("a.gz"));
}

TEST_F(Fetch, TakesHttpAndHttpsOnly) {
  folder_.write("a.gz", whole_);
  EXPECT_THAT(error_of<InputError>([&] { fetch_from("file://" + folder_.path().string()); }),
              HasSubstr("rotocol"));
  EXPECT_THAT(pauses_, IsEmpty());
}

TEST_F(Fetch, RepeatsWhereNobodyListens) {
  std::string url;
  {
    url = HttpServer([](const std::string&) { return std::string(); }).url();
  }
  options_.retries = 1;
  EXPECT_THAT(error_of<InputError>([&] { fetch_from(url); }), HasSubstr("after 2 attempts"));
  EXPECT_THAT(pauses_, SizeIs(1));
}

TEST_F(Fetch, NamesAFolderThatCannotBeMade) {
  const HttpServer server([&](const std::string&) { return http("200 OK", whole_); });
  folder_.write("set", "a file in the folder's place");
  EXPECT_THAT(error(server), AllOf(HasSubstr("folder"), HasSubstr(options_.folder.string())));
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(Fetch, NamesAPlaceThatCannotBeWritten) {
  const HttpServer server([&](const std::string&) { return http("200 OK", whole_); });
  std::filesystem::create_directories(options_.folder / "a.gz.part");
  EXPECT_THAT(error(server), AllOf(HasSubstr("cannot write"), HasSubstr("a.gz.part")));
}

TEST_F(Fetch, NamesTheFileWhenTheDiskIsFull) {
  const HttpServer server([&](const std::string&) { return http("200 OK", whole_); });
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{.rlim_cur = 4096, .rlim_max = before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = error(server);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message, AllOf(HasSubstr("cannot write"), HasSubstr("a.gz.part")));
  EXPECT_FALSE(has("a.gz"));
}

TEST_F(Fetch, LetsTheCallersExceptionThrough) {
  const HttpServer server([&](const std::string&) { return http("200 OK", whole_); });
  options_.progress = [](const FetchProgress&) { throw WorkError("stopped by hand"); };
  EXPECT_EQ(error_of<WorkError>([&] { fetch(server); }), "stopped by hand");
}

TEST_F(Fetch, ChecksItsOptions) {
  options_.retries = -1;
  EXPECT_THAT(error_of<InputError>([&] { fetch_from("http://x"); }), HasSubstr("retries is -1"));
  options_.retries = 0;
  options_.timeout_s = 0.5;
  EXPECT_THAT(error_of<InputError>([&] { fetch_from("http://x"); }), HasSubstr("timeout is 0.5 s"));
}

TEST_F(Fetch, AsksForTheFilesOfADataSetByName) {
  const HttpServer server([&](const std::string&) { return http("404 Not Found", "none"); });
  options_.base_url = server.url() + "/";
  for (const std::string_view name : fetchable_datasets()) {
    EXPECT_THAT(error_of<InputError>([&] { fetch_dataset(name, options_); }), HasSubstr("404"));
  }
  EXPECT_THAT(server.requests()[1], HasSubstr("GET /files/train-images-idx3-ubyte.gz "));
  EXPECT_THAT(
      error_of<InputError>([&] { fetch_dataset("digits", options_); }),
      HasSubstr("no data set 'digits' to download, expected mnist or fashion-mnist or cifar10"));
}

TEST_F(Fetch, KnowsTheFilesOfTheRealDataSets) {
  const char* const data = std::getenv("LASTBIT_DATA");
  if (data == nullptr) GTEST_SKIP() << "needs $LASTBIT_DATA";
  const HttpServer server([&](const std::string&) { return http("404 Not Found", "none"); });
  options_.base_url = server.url();
  options_.folder = data;
  for (const std::string_view name : {"mnist", "fashion-mnist"}) {
    if (!std::filesystem::exists(options_.folder / name)) GTEST_SKIP() << "needs " << name;
    EXPECT_EQ(fetch_dataset(name, options_), options_.folder / name);
  }
  EXPECT_THAT(server.requests(), IsEmpty());
}

}  // namespace
}  // namespace lastbit
