#include "lastbit/state/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/state/pickles.h"

namespace lastbit {
namespace {

using pickles::call;
using pickles::dict;
using pickles::global;
using pickles::pickle;
using pickles::real;
using pickles::text;
using pickles::tuple;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Kind = PickleValue::Kind;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string error_with(const std::string& bytes) {
  // Exactly as large as the input, so that the sanitizer sees what is read beyond it.
  const std::vector<char> exact(bytes.begin(), bytes.end());
  return error_of([&] { Pickle(std::as_bytes(std::span(exact)), "[pytorch] a.pth"); });
}

TEST(Pickle, ReadsValuesOfEveryKind) {
  const std::string file = pickle(dict({{"none", "N"},
                                        {"truth", "\x88"},
                                        {"small", "K\x07"},
                                        {"negative", "J" + little(0xfffffffeU, 4)},
                                        {"long", std::string("\x8a\x02\x00\xff", 4)},
                                        {"real", real(0.1)},
                                        {"tuple", tuple({"K\x01", "K\x02"})},
                                        {"list",
                                         "](K\x05K\x06K\x07"
                                         "e"}}));
  const Pickle read(bytes_of(file), "a");
  EXPECT_EQ(read.size(), file.size());
  const PickleValue& root = read.root();
  EXPECT_EQ(find_item(root, "none")->kind, Kind::kNone);
  EXPECT_EQ(find_item(root, "truth")->integer, 1);
  EXPECT_EQ(find_item(root, "small")->integer, 7);
  EXPECT_EQ(find_item(root, "negative")->integer, -2);
  EXPECT_EQ(find_item(root, "long")->integer, -256);
  EXPECT_EQ(find_item(root, "real")->real, 0.1);
  EXPECT_EQ(find_item(root, "tuple")->items.size(), 2U);
  EXPECT_EQ(find_item(root, "list")->items.at(2)->integer, 7);
  EXPECT_EQ(find_item(root, "other"), nullptr);
}

TEST(Pickle, ReadsTheOpcodesOfProtocol4) {
  const std::string file = std::string("\x80\x04\x95\x20\0\0\0\0\0\0\0", 11) +
                           "\x8c\x0b"
                           "collections"
                           "\x94\x8c\x0bOrderedDict\x94\x93\x94)R\x94" +
                           "\x8c\x01"
                           "k\x94h\x01s.";
  const Pickle read(bytes_of(file), "a");
  EXPECT_EQ(find_item(read.root(), "k")->text, "OrderedDict");
}

TEST(Pickle, NotesWhatPythonWouldCall) {
  const std::string file = pickle(call(global("torch", "device"), {text("cuda")}));
  const Pickle read(bytes_of(file), "a");
  EXPECT_EQ(read.root().kind, Kind::kCall);
  EXPECT_EQ(read.root().type->name, "torch.device");
  EXPECT_EQ(read.root().items.at(0)->text, "cuda");
}

TEST(Pickle, RefusesOtherClassesByName) {
  EXPECT_THAT(error_with(pickle(call(global("os", "system"), {text("echo gotcha")}))),
              AllOf(HasSubstr("[pytorch] a.pth: the pickle names the class os.system, which is"),
                    HasSubstr("torch.save(model.state_dict(), ...)")));
  EXPECT_THAT(error_with(pickle(global("builtins", "eval"))), HasSubstr("builtins.eval"));
  EXPECT_THAT(error_with(pickle(text("posix") + text("system") + "\x93")),
              HasSubstr("posix.system"));
  EXPECT_THAT(error_with(pickle(global("__main__", "Net"))), HasSubstr("__main__.Net"));
  EXPECT_THAT(error_with(pickle(global("torch", "storage._load_from_bytes"))),
              HasSubstr("torch.storage._load_from_bytes"));
  EXPECT_THAT(error_with(pickle(global("x\x1b[31m", std::string(200, 'y')))),
              HasSubstr("x?[31m." + std::string(73, 'y') + "..., which"));
}

TEST(Pickle, RefusesProgramsThatFail) {
  EXPECT_THAT(error_with(""), HasSubstr("asks for 1 bytes of the 0 left"));
  EXPECT_THAT(error_with("\x80\x02."), HasSubstr("stops with 0 values"));
  EXPECT_THAT(error_with("\x80\x02NN."), HasSubstr("stops with 2 values"));
  EXPECT_THAT(error_with("\x80\x06N."), HasSubstr("protocol 6, expected 2 to 5"));
  EXPECT_THAT(error_with("\x80\x02h\x07."), HasSubstr("recalls value 7, which it has not kept"));
  EXPECT_THAT(error_with("\x80\x02t."), HasSubstr("after a mark where there is none"));
  EXPECT_THAT(error_with("\x80\x02N(0NR."), HasSubstr("calls what is no class"));
  EXPECT_THAT(error_with("\x80\x02N(s."), HasSubstr("takes a value where there is none"));
  EXPECT_THAT(error_with("\x80\x02](NNu."), HasSubstr("adds to a value that is no dictionary"));
  EXPECT_THAT(error_with("\x80\x02}(Nu."), HasSubstr("a key without its value"));
  EXPECT_THAT(error_with("\x80\x02NNb."), HasSubstr("gives state to what is no object"));
  EXPECT_THAT(error_with("\x80\x02I1\n."), HasSubstr("has the opcode 73"));
  EXPECT_THAT(error_with("cos\nsys"), HasSubstr("cut off in a line"));
  EXPECT_THAT(error_with(pickle("NQ")), HasSubstr("refers to what is no tuple"));
}

TEST(Pickle, RefusesSizesBeyondItsBytes) {
  EXPECT_THAT(error_with("X\xff\xff\xff\xff"
                         "abc"),
              HasSubstr("asks for 4294967295 bytes of the 3"));
  EXPECT_THAT(error_with("\x8e\xff\xff\xff\xff\xff\xff\xff\xff"
                         "abc"),
              HasSubstr("asks for 18446744073709551615 bytes of the 3"));
  EXPECT_THAT(error_with("\x8b\xff\xff\xff\x7f"), HasSubstr("asks for 2147483647 bytes"));
}

TEST(Pickle, TakesAnyDepthAndCycle) {
  std::string deep(1'000'000, ']');
  deep += std::string(999'999, 'a');
  EXPECT_EQ(error_with(pickle(deep)), "no exception");
  EXPECT_EQ(error_with(pickle("]q" + std::string(1, '\0') + "h" + std::string(1, '\0') + "a")),
            "no exception");
}

TEST(Pickle, RefusesMoreValuesThanNetworksHave) {
  EXPECT_THAT(error_with(std::string(5'000'000, ')')), HasSubstr("more than 4194304 values"));
  EXPECT_THAT(error_with("N" + std::string(5'000'000, '2')), HasSubstr("more than 4194304 values"));
  EXPECT_THAT(error_with(std::string(5'000'000, '(')), HasSubstr("more than 4194304 marks"));
  EXPECT_THAT(error_with("N" + std::string(5'000'000, '\x94')),
              HasSubstr("more than 4194304 values"));
  // A set of a list of 65,536 values, many times over.
  std::string sets = "](" + std::string(65'536, 'N') + "eq\1" + global("builtins", "set") + "q\2";
  for (int i = 0; i < 100; ++i) sets += "h\2h\1\x85R";
  EXPECT_THAT(error_with(pickle(sets)), HasSubstr("copies more than 4194304 values"));
}

}  // namespace
}  // namespace lastbit
