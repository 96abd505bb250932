#include "lastbit/data/cifar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/data/dataset.h"
#include "tests/data/files.h"

namespace lastbit {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A record whose pixel k is `first` + k, modulo 256.
std::string record(std::string labels, int first) {
  for (int k = 0; k < 3072; ++k) labels.push_back(static_cast<char>(first + k));
  return labels;
}

std::string record10(int label, int first) {
  return record(std::string(1, static_cast<char>(label)), first);
}

std::string record100(int coarse, int fine, int first) {
  return record({static_cast<char>(coarse), static_cast<char>(fine)}, first);
}

void write_cifar10(const TempFolder& folder, const std::string& under = "") {
  for (int i = 1; i <= 5; ++i) {
    folder.write(under + "data_batch_" + std::to_string(i) + ".bin", record10(i, i));
  }
  folder.write(under + "test_batch.bin", record10(9, 100) + record10(0, 200));
}

std::string tar_entry(const std::string& name, const std::string& bytes) {
  std::string header(512, '\0');
  header.replace(0, name.size(), name);
  char size[13];
  std::snprintf(size, sizeof(size), "%011zo", bytes.size());
  header.replace(124, 12, size, 12);
  header[156] = '0';
  header.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char byte : header) sum += static_cast<unsigned char>(byte);
  char checksum[8];
  std::snprintf(checksum, sizeof(checksum), "%06o", sum);
  header.replace(148, 8, std::string(checksum, 7) + ' ');
  std::string padded = bytes;
  padded.resize((bytes.size() + 511) / 512 * 512);
  return header + padded;
}

TEST(Cifar, ReadsTheSixFilesInTheirOrder) {
  const TempFolder folder;
  write_cifar10(folder);
  const Dataset set = open_dataset(folder.path().string(), {});
  EXPECT_THAT(set.train->sample_shape(), ElementsAre(3, 32, 32));
  EXPECT_THAT(set.train->labels(), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(set.test->labels(), ElementsAre(9, 0));
  EXPECT_EQ(set.train->classes(), 10);
  const std::vector<float> image = gather(*set.test, {1});
  for (std::size_t k = 0; k < image.size(); ++k) {
    ASSERT_EQ(image[k], static_cast<float>((200 + k) % 256) / 255.0F);
  }
}

TEST(Cifar, TakesTheFineLabelOfCifar100) {
  const TempFolder folder;
  folder.write("train.bin", record100(19, 99, 0) + record100(0, 20, 0));
  folder.write("test.bin", record100(3, 4, 0));
  const Dataset set = open_dataset(folder.path().string(), {});
  EXPECT_THAT(set.train->labels(), ElementsAre(99, 20));
  EXPECT_THAT(set.test->labels(), ElementsAre(4));
  EXPECT_EQ(set.test->classes(), 100);
}

TEST(Cifar, IsFoundInTheFolderThatTheArchiveUnpacksTo) {
  const TempFolder folder;
  write_cifar10(folder, "cifar10/cifar-10-batches-bin/");
  EXPECT_EQ(open_dataset("cifar10", {.data_dir = folder.path()}).train->size(), 5);
}

TEST(Cifar, IsReadFromTheArchive) {
  const TempFolder folder;
  const std::string tar = tar_entry("cifar-100-binary/", "") +
                          tar_entry("cifar-100-binary/fine_label_names.txt", "apple\n") +
                          tar_entry("cifar-100-binary/test.bin", record100(3, 4, 7)) +
                          tar_entry("cifar-100-binary/train.bin", record100(1, 2, 5)) +
                          std::string(1024, '\0');
  folder.write("cifar100/cifar-100-binary.tar.gz", gzip(tar));
  const Dataset set = open_dataset("cifar100", {.data_dir = folder.path()});
  EXPECT_THAT(set.train->labels(), ElementsAre(2));
  EXPECT_EQ(gather(*set.test, {0})[0], 7.0F / 255.0F);
}

TEST(Cifar, RefusesArchivesThatAreCutOffDamagedOrLackAFile) {
  const TempFolder folder;
  const std::string name = "cifar-100-binary.tar.gz";
  const std::string train = tar_entry("x/train.bin", record100(1, 2, 5));
  const auto error = [&](const std::string& tar) {
    folder.write(name, gzip(tar));
    return error_of([&] { read_cifar("c", folder.path()); });
  };
  EXPECT_THAT(error(train), AllOf(HasSubstr(name), HasSubstr("holds no test.bin")));
  EXPECT_THAT(error(train.substr(0, 2000)), HasSubstr("cut off within train.bin"));
  EXPECT_THAT(error(train.substr(0, 100)), HasSubstr("cut off within a header"));
  std::string damaged = train;
  damaged[3] ^= 1;
  EXPECT_THAT(error(damaged), HasSubstr("damaged"));
  std::string huge = tar_entry("x/train.bin", "");
  huge.replace(124, 11, "77777777777");
  huge.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char byte : huge) sum += static_cast<unsigned char>(byte);
  char checksum[8];
  std::snprintf(checksum, sizeof(checksum), "%06o", sum);
  huge.replace(148, 7, checksum, 7);
  EXPECT_THAT(error(huge), HasSubstr("more than can be"));
}

TEST(Cifar, NamesTheMissingFile) {
  const TempFolder folder;
  write_cifar10(folder);
  std::filesystem::remove(folder.path() / "data_batch_3.bin");
  EXPECT_THAT(error_of<InputError>([&] { read_cifar("c", folder.path()); }),
              HasSubstr("has no data_batch_3.bin"));
}

TEST(Cifar, RefusesCutOffFilesAndLabelsOutOfRange) {
  const TempFolder folder;
  const auto error = [&] { return error_of([&] { read_cifar("c", folder.path()); }); };
  write_cifar10(folder);
  folder.write("data_batch_2.bin", record10(1, 1).substr(1));
  EXPECT_THAT(error(), AllOf(HasSubstr("data_batch_2.bin has 3072 bytes"), HasSubstr("3073")));
  folder.write("data_batch_2.bin", "");
  EXPECT_THAT(error(), HasSubstr("data_batch_2.bin has 0 bytes"));
  folder.write("data_batch_2.bin", record10(1, 1) + record10(10, 1));
  EXPECT_THAT(error(), HasSubstr("data_batch_2.bin has label 10 in record 1, expected 0, ..., 9"));

  const TempFolder other;
  other.write("train.bin", record100(20, 0, 0));
  other.write("test.bin", record100(0, 0, 0));
  EXPECT_THAT(error_of([&] { read_cifar("c", other.path()); }),
              HasSubstr("label 20 in record 0, expected 0, ..., 19"));
}

}  // namespace
}  // namespace lastbit
