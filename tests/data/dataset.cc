#include "lastbit/data/dataset.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/data/parts.h"
#include "tests/data/files.h"

namespace lastbit {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string small_npz(char label) {
  const std::string x = npy("<f4", "(2, 1)", raw<float>({1, 2}));
  const std::string y = npy("|u1", "(2,)", std::string{'\0', label});
  return zip({{"x_train.npy", x, true},
              {"y_train.npy", y, false},
              {"x_test.npy", x, true},
              {"y_test.npy", y, false}});
}

// Runs in a folder of its own, without $LASTBIT_DATA.
class OpenDataset : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* const variable = std::getenv("LASTBIT_DATA");
    if (variable != nullptr) before_ = variable;
    ::unsetenv("LASTBIT_DATA");
    folder_before_ = std::filesystem::current_path();
    std::filesystem::current_path(here_.path());
  }
  void TearDown() override {
    std::filesystem::current_path(folder_before_);
    if (!before_.empty()) ::setenv("LASTBIT_DATA", before_.c_str(), 1);
  }

  static std::int64_t classes(const std::string& name, const DataOptions& options = {}) {
    return open_dataset(name, options).train->classes();
  }

  TempFolder here_;
  TempFolder there_;
  std::string before_;
  std::filesystem::path folder_before_;
};

TEST_F(OpenDataset, SearchesTheGivenFolderThenTheVariableThenData) {
  here_.write("data/set.npz", small_npz(3));
  EXPECT_EQ(classes("set"), 4);
  there_.write("variable/set.npz", small_npz(4));
  ::setenv("LASTBIT_DATA", (there_.path() / "variable").c_str(), 1);
  EXPECT_EQ(classes("set"), 5);
  there_.write("given/set.npz", small_npz(5));
  EXPECT_EQ(classes("set", {.data_dir = there_.path() / "given", .threads = 1}), 6);
  ::unsetenv("LASTBIT_DATA");
}

TEST_F(OpenDataset, OpensPathsOfFoldersAndFiles) {
  const auto path = there_.write("some.npz", small_npz(2));
  EXPECT_EQ(classes(path.string()), 3);
  here_.write("mine/train-images-idx3-ubyte", idx({1, 1, 1}, "a"));
  here_.write("mine/train-labels-idx1-ubyte", idx({1}, "\1"));
  here_.write("mine/t10k-images-idx3-ubyte.gz", gzip(idx({1, 1, 1}, "a")));
  here_.write("mine/t10k-labels-idx1-ubyte.gz", gzip(idx({1}, "\1")));
  const Dataset set = open_dataset("./mine", {});
  EXPECT_EQ(set.train->classes(), 2);
  EXPECT_EQ(set.name, "./mine");
  EXPECT_EQ(std::filesystem::canonical(set.folder), std::filesystem::canonical("mine"));
}

TEST_F(OpenDataset, OpensAFolderOfNpyFiles) {
  here_.write("data/v/x_train.npy", npy("<f4", "(1, 2)", raw<float>({1, 2})));
  here_.write("data/v/x_test.npy", npy("<f4", "(1, 2)", raw<float>({3, 4})));
  here_.write("data/v/y_train.npy", npy("|u1", "(1,)", "\1"));
  here_.write("data/v/y_test.npy", npy("|u1", "(1,)", "\1"));
  EXPECT_THAT(gather(*open_dataset("v", {}).test, {0}), ElementsAre(3, 4));
  std::filesystem::remove("data/v/y_test.npy");
  EXPECT_THAT(error_of<InputError>([] { open_dataset("v", {}); }), HasSubstr("y_test.npy"));
}

TEST_F(OpenDataset, SaysWhereItSearchedAndWhatItKnows) {
  ::setenv("LASTBIT_DATA", "/nowhere", 1);
  const std::string error =
      error_of<InputError>([&] { open_dataset("mnits", {.data_dir = "given", .threads = 1}); });
  ::unsetenv("LASTBIT_DATA");
  EXPECT_THAT(error,
              AllOf(HasSubstr("no data set 'mnits'"),
                    HasSubstr("given/mnits, /nowhere/mnits, data/mnits, mnits"),
                    HasSubstr("digits, mnist, fashion-mnist")));
}

TEST_F(OpenDataset, SaysWhatAFolderShouldHold) {
  std::filesystem::create_directories("data/mnist");
  EXPECT_THAT(error_of<InputError>([] { open_dataset("mnist", {}); }),
              AllOf(HasSubstr("data/mnist holds no data set"),
                    HasSubstr("train-images-idx3-ubyte"),
                    HasSubstr("x_train.npy")));
}

TEST_F(OpenDataset, DrawsDigitsByTheOptionsInTheName) {
  const Dataset set = open_dataset("digits:seed=3,train=20,test=5", {.data_dir = {}, .threads = 1});
  EXPECT_EQ(set.name, "digits:seed=3,train=20,test=5");
  EXPECT_EQ(set.train->size(), 20);
  EXPECT_EQ(set.test->size(), 5);
  EXPECT_TRUE(set.folder.empty());
  EXPECT_THAT(error_of<InputError>([] { open_dataset("digits:size=3", {}); }),
              HasSubstr("unknown key 'size'"));
}

TEST_F(OpenDataset, DrawsDigitsInTheirDocumentedNumber) {
  const Dataset set = open_dataset("digits", {});
  EXPECT_EQ(set.train->size(), 60000);
  EXPECT_EQ(set.test->size(), 10000);
}

TEST_F(OpenDataset, RefusesAnEmptyName) {
  EXPECT_THAT(error_of<InputError>([] { open_dataset("", {}); }), HasSubstr("is empty"));
}

TEST(KnownDatasets, AreListedWithASummary) {
  ASSERT_EQ(known_datasets().size(), 5U);
  for (const DatasetInfo& row : known_datasets()) EXPECT_FALSE(row.summary.empty()) << row.name;
}

class Gather : public ::testing::Test {
 protected:
  static Samples samples() {
    return {.shape = {2},
            .values = std::vector<float>{0, 1, 2, 3, 4, 5},
            .labels = {0, 1, 2},
            .values_from = "x",
            .labels_from = "y"};
  }
  const Dataset set_ = make_dataset("set", {}, samples(), samples());
};

TEST_F(Gather, TakesIndicesInAnyOrderAndRepeated) {
  EXPECT_THAT(gather(*set_.train, {2, 0, 2}), ElementsAre(4, 5, 0, 1, 4, 5));
  EXPECT_THAT(gather(*set_.train, {}), ElementsAre());
}

TEST_F(Gather, RefusesIndicesOutsideTheSet) {
  EXPECT_THAT(error_of<InputError>([&] {
                gather(*set_.train, {0, 3});
              }),
              HasSubstr("indices[1] is 3, expected 0, ..., 2"));
  EXPECT_THAT(error_of<InputError>([&] { gather(*set_.train, {-1}); }),
              HasSubstr("indices[0] is -1"));
}

TEST_F(Gather, RefusesABufferOfAnotherSize) {
  for (const std::size_t size : {0U, 3U, 5U, 6U}) {
    std::vector<float> out(size);
    const std::vector<std::int64_t> indices{0, 1};
    EXPECT_THAT(error_of<InputError>([&] { set_.train->gather(indices, out); }),
                HasSubstr("expected 2 samples of 2"));
  }
}

TEST_F(Gather, ServesSeveralThreadsAtOnce) {
  std::vector<std::vector<float>> results(4);
  {
    std::vector<std::jthread> readers;
    for (auto& result : results) {
      readers.emplace_back([&] {
        for (int i = 0; i < 200; ++i) result = gather(*set_.train, {1, 0});
      });
    }
  }
  for (const auto& result : results) EXPECT_THAT(result, ElementsAre(2, 3, 0, 1));
}

TEST(MakeDataset, RefusesAPartWithoutSamples) {
  const Samples none{.shape = {2},
                     .values = std::vector<float>{},
                     .labels = {},
                     .values_from = "x",
                     .labels_from = "y"};
  EXPECT_THAT(error_of([&] { make_dataset("set", {}, none, none); }), HasSubstr("has no samples"));
}

}  // namespace
}  // namespace lastbit
