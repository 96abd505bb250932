#include <functional>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/data/arrays.h"
#include "lastbit/data/idx.h"
#include "tests/data/files.h"

namespace lastbit {
namespace {

const std::string kX = npy("<f4", "(3, 2)", raw<float>({1, 2, 3, 4, 5, 6}));
const std::string kY = npy("<i4", "(3,)", raw<std::int32_t>({0, 1, 2}));

// Each damage of one file of a data set must end in a Dataset that can be read, or in an Error.
class Damage : public ::testing::Test {
 protected:
  using Open = std::function<Dataset()>;

  // True if the damaged file was refused.
  bool refuses(const std::string& name, const std::string& bytes, const Open& open) {
    folder_.write(name, bytes);
    try {
      const Dataset set = open();
      for (std::int64_t i = 0; i < set.train->size(); ++i) gather(*set.train, {i});
      return false;
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find(folder_.path().string()), std::string::npos)
          << error.what();
      return true;
    }
  }

  void sweep(const std::string& name, const std::string& good, const Open& open) {
    ASSERT_FALSE(refuses(name, good, open));
    for (std::size_t size = 0; size < good.size(); ++size) {
      EXPECT_TRUE(refuses(name, good.substr(0, size), open)) << name << " cut at " << size;
    }
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (const int flip : {0x01, 0x80, 0xff}) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ flip);
        refuses(name, bad, open);
      }
    }
    Random random(7);
    for (int i = 0; i < 200; ++i) {
      std::string bad = good.substr(0, random.below(8));
      for (std::size_t more = random.below(300); more > 0; --more) {
        bad.push_back(static_cast<char>(random.next()));
      }
      refuses(name, bad, open);
    }
    folder_.write(name, good);
  }

  TempFolder folder_;
};

class IdxDamage : public Damage {
 protected:
  void SetUp() override {
    for (const std::string part : {"train", "t10k"}) {
      folder_.write(part + "-images-idx3-ubyte", images_);
      folder_.write(part + "-labels-idx1-ubyte", labels_);
    }
  }
  const Open open_ = [this] { return read_idx_folder("set", folder_.path()); };
  const std::string images_ = idx({3, 2, 2}, "abcdefghijkl");
  const std::string labels_ = idx({3}, "\1\2\3");
};

TEST_F(IdxDamage, OfPlainFilesIsRefusedOrHarmless) {
  sweep("train-images-idx3-ubyte", images_, open_);
  sweep("t10k-labels-idx1-ubyte", labels_, open_);
}

TEST_F(IdxDamage, OfPackedFilesIsRefusedOrHarmless) {
  sweep("train-images-idx3-ubyte", gzip(images_), open_);
  sweep("t10k-labels-idx1-ubyte", gzip(labels_), open_);
}

TEST_F(Damage, OfNpyFilesIsRefusedOrHarmless) {
  for (const std::string part : {"train", "test"}) {
    folder_.write("x_" + part + ".npy", kX);
    folder_.write("y_" + part + ".npy", kY);
  }
  const Open open = [this] { return read_npy_folder("set", folder_.path()); };
  sweep("x_test.npy", kX, open);
  sweep("y_train.npy", kY, open);
}

TEST_F(Damage, OfNpzFilesIsRefusedOrHarmless) {
  const Open open = [this] { return read_npz("set", folder_.path() / "set.npz"); };
  for (const bool deflated : {false, true}) {
    sweep("set.npz",
          zip({{"x_train.npy", kX, deflated},
               {"y_train.npy", kY, deflated},
               {"x_test.npy", kX, deflated},
               {"y_test.npy", kY, deflated}}),
          open);
  }
}

}  // namespace
}  // namespace lastbit
