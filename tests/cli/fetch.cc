#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/program.h"
#include "tests/data/http_server.h"

namespace lastbit {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

using DataFetch = CommandTest;

TEST_F(DataFetch, RefusesWhatItDoesNotUnderstand) {
  expect_refusal(lastbit({"data", "fetch"}), {"fetch NAME", "mnist"});
  expect_refusal(lastbit({"data", "fetch", "emnist"}), {"'emnist'", "mnist", "fashion-mnist"});
  expect_refusal(lastbit({"data", "fetch", "digits"}), {"'digits'", "mnist"});
  expect_refusal(lastbit({"data", "get", "mnist"}), {"'get mnist'", "fetch NAME"});
  expect_refusal(lastbit({"data", "fetch", "mnist", "--url", "ftp://localhost/"}), {"ftp://"});
  EXPECT_THAT(names(), Each(Not(HasSubstr("gz"))));
}

TEST_F(DataFetch, SaysThatNoServerAnswers) {
  std::string url;
  {
    url = HttpServer([](const std::string&) { return std::string(); }).url();
  }
  const Finished run = lastbit({"data", "fetch", "mnist", "--url", url, "--retries", "0"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr(url));
  EXPECT_THAT(run.err, HasSubstr("lastbit: "));
}

TEST_F(DataFetch, SaysThatAFileIsNotThere) {
  const HttpServer server([](const std::string&) { return http("404 Not Found", ""); });
  const Finished run = lastbit({"data", "fetch", "mnist", "--url", server.url()});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("404"));
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(DataFetch, NamesAFolderThatCannotBeWritten) {
  const HttpServer server([](const std::string&) { return http("404 Not Found", ""); });
  write("file", "");
  expect_refusal(lastbit({"data", "fetch", "mnist", "--url", server.url(), "--data-dir", "file"}),
                 {"file/mnist"});
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(DataFetch, DownloadsADataSetThatCanBeOpened) {
  const char* root = std::getenv("LASTBIT_DATA");
  if (root == nullptr) GTEST_SKIP() << "LASTBIT_DATA names no folder with mnist";
  const std::filesystem::path mnist = std::filesystem::path(root) / "mnist";
  if (!std::filesystem::exists(mnist / "train-images-idx3-ubyte.gz")) {
    GTEST_SKIP() << mnist << " holds no packed files";
  }
  const HttpServer server([&](const std::string& request) {
    const std::string target = request.substr(4, request.find(" HTTP") - 4);
    std::ifstream file(mnist / std::filesystem::path(target).filename(), std::ios::binary);
    return http_range(request, {std::istreambuf_iterator<char>(file), {}});
  });
  const Finished run = succeed({"data", "fetch", "mnist", "--url", server.url()});
  EXPECT_THAT(run.out, HasSubstr("mnist is in data/mnist"));
  EXPECT_THAT(run.err, Not(HasSubstr("\r")));
  EXPECT_EQ(server.requests().size(), 4U);
  succeed({"zoo", "mlp", "--hidden", "4", "--out", "m.onnx"});
  EXPECT_THAT(succeed({"eval", "m.onnx", "--data", "mnist"}).out, HasSubstr("of 10000"));
}

}  // namespace
}  // namespace lastbit
