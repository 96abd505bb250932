#include "lastbit/data/voc_annotation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/data/xml.h"
#include "tests/data/files.h"
#include "tests/data/voc_files.h"

namespace lastbit {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

VocAnnotation read(const std::string& text) {
  return read_voc_annotation(std::as_bytes(std::span(text)), "a.xml");
}

std::string refusal(const std::string& text) {
  return error_of([&] { read(text); });
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

const std::string kGood =
    voc_xml(20,
            10,
            voc_object("dog", "1", "2", "8.5", "9", "<difficult>1</difficult>") +
                voc_object("caf\xc3\xa9", " 3 ", "1", "20", "10", "<truncated>1</truncated>"));

TEST(VocAnnotation, TurnsPixelsFromOneIntoEdges) {
  const VocAnnotation read_back = read(kGood);
  EXPECT_EQ(read_back.file_name, "of another.jpg");
  EXPECT_EQ(read_back.size, (ImageSize{.height = 10, .width = 20}));
  ASSERT_THAT(read_back.objects, SizeIs(2));
  EXPECT_EQ(read_back.objects[0].name, "dog");
  EXPECT_EQ(read_back.objects[0].box, (Box{0.0F, 1.0F, 8.5F, 9.0F}));
  EXPECT_TRUE(read_back.objects[0].difficult);
  EXPECT_FALSE(read_back.objects[0].truncated);
  EXPECT_EQ(read_back.objects[1].name, "caf\xc3\xa9");
  EXPECT_EQ(read_back.objects[1].box, (Box{2.0F, 0.0F, 20.0F, 10.0F}));
  EXPECT_FALSE(read_back.objects[1].difficult);
  EXPECT_TRUE(read_back.objects[1].truncated);
}

TEST(VocAnnotation, KeepsObjectsFromTheirParts) {
  const std::string part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>";
  const VocAnnotation person = read(voc_xml(9, 9, voc_object("person", "1", "1", "9", "9", part)));
  ASSERT_THAT(person.objects, SizeIs(1));
  EXPECT_EQ(person.objects[0].name, "person");
  EXPECT_EQ(person.objects[0].box, (Box{0, 0, 9, 9}));
}

TEST(VocAnnotation, NeedsNeitherSizeNorObjects) {
  EXPECT_THAT(read("<annotation/>").objects, IsEmpty());
  EXPECT_EQ(read("<annotation/>").size, ImageSize{});
  EXPECT_EQ(read(voc_xml(0, 0, "")).size, ImageSize{});
}

TEST(VocAnnotation, ReadsOtherEncodings) {
  const std::string latin = "<?xml version='1.0' encoding='ISO-8859-1'?>" +
                            voc_xml(9, 9, voc_object("caf\xe9", "1", "1", "9", "9"));
  EXPECT_EQ(read(latin).objects[0].name, "caf\xc3\xa9");
  EXPECT_EQ(read("\xef\xbb\xbf" + kGood).objects[1].name, "caf\xc3\xa9");
  EXPECT_THAT(refusal("<?xml version='1.0' encoding='latin-99'?><annotation/>"),
              HasSubstr("unknown encoding"));
  EXPECT_THAT(refusal(voc_xml(9, 9, voc_object("caf\xe9", "1", "1", "9", "9"))),
              AllOf(HasSubstr("a.xml line 3"), HasSubstr("not well-formed")));
}

TEST(VocAnnotation, NamesObjectAndElementOfWhatIsWrong) {
  const auto with = [](const std::string& more, const std::string& x = "1") {
    return refusal(voc_xml(
        9, 9, voc_object("a", "1", "1", "9", "9") + voc_object("b", x, "1", "9", "9", more)));
  };
  EXPECT_THAT(with("", "nan"), HasSubstr("a.xml object 2 has <xmin> 'nan', expected a number"));
  EXPECT_THAT(with("", "inf"), HasSubstr("<xmin> 'inf'"));
  EXPECT_THAT(with("", "1e30"), HasSubstr("<xmin> '1e30'"));
  EXPECT_THAT(with("", "12px"), HasSubstr("<xmin> '12px'"));
  EXPECT_THAT(with("", ""), HasSubstr("<xmin> ''"));
  EXPECT_THAT(with("<name>c</name>"), HasSubstr("object 2 has <name> 2 times, expected once"));
  EXPECT_THAT(with("<bndbox/>"), HasSubstr("<bndbox> 2 times"));
  EXPECT_THAT(with("<difficult>maybe</difficult>"), HasSubstr("'maybe', expected 0 or 1"));
  EXPECT_THAT(refusal(voc_xml(9, 9, "<object><name>a</name></object>")),
              HasSubstr("object 1 has no <bndbox>"));
  EXPECT_THAT(refusal(voc_xml(9, 9, "<object><name>a</name><bndbox/></object>")),
              HasSubstr("object 1 has no <xmin>"));
  EXPECT_THAT(refusal(voc_xml(9, 9, "<object/>")), HasSubstr("object 1 has no <name>"));
  EXPECT_THAT(refusal(voc_xml(9, 9, voc_object("", "1", "1", "9", "9"))), HasSubstr("0 bytes"));
  EXPECT_THAT(refusal(voc_xml(9, 9, voc_object("a\nb", "1", "1", "9", "9"))),
              HasSubstr("expected one line"));
  EXPECT_THAT(refusal(voc_xml(9, -9, "")),
              HasSubstr("annotation has <height> -9, expected a whole"));
  EXPECT_THAT(refusal("<html/>"), HasSubstr("is <html>, expected <annotation>"));
  EXPECT_THAT(refusal("<" + std::string(5000, 'x') + "/>"), SizeIs(::testing::Lt(300U)));
}

TEST(VocAnnotation, RefusesEntitiesOfAFilesOwn) {
  const std::string laughs =
      "<?xml version='1.0'?>\n<!DOCTYPE annotation [<!ENTITY a 'ha'>"
      "<!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]>\n<annotation>&b;</annotation>";
  EXPECT_THAT(refusal(laughs), HasSubstr("a.xml line 2 has a document type (DOCTYPE)"));
  const std::string outside =
      "<!DOCTYPE annotation SYSTEM 'file:///etc/passwd'><annotation>&x;</annotation>";
  EXPECT_THAT(refusal(outside), HasSubstr("DOCTYPE"));
  EXPECT_THAT(refusal("<annotation>&b;</annotation>"), HasSubstr("undefined entity"));
  EXPECT_EQ(read(voc_xml(9, 9, voc_object("a&amp;&#98;", "1", "1", "9", "9"))).objects[0].name,
            "a&b");
}

TEST(VocAnnotation, RefusesDeepNestingAndEndlessLists) {
  for (const int depth : {kMaxXmlDepth, 5000, 1'000'000}) {
    EXPECT_THAT(refusal("<annotation>" + repeated("<a>", depth)),
                HasSubstr("is nested deeper than 32 elements"));
  }
  EXPECT_THAT(read("<annotation>" + repeated("<a>", kMaxXmlDepth - 1) +
                   repeated("</a>", kMaxXmlDepth - 1) + "</annotation>")
                  .objects,
              IsEmpty());
  EXPECT_THAT(refusal("<annotation>" + repeated("<a/>", static_cast<int>(kMaxXmlElements)) +
                      "</annotation>"),
              HasSubstr("more than 200000 elements"));
  EXPECT_THAT(refusal("<annotation>" + std::string(kMaxXmlBytes, ' ') + "</annotation>"),
              HasSubstr("expected at most 16777216"));
}

TEST(VocAnnotation, CutAnywhereIsRefused) {
  const std::string whole = kGood.substr(0, kGood.size() - 1);  // without the last end of line
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(refusal(whole.substr(0, size)), HasSubstr("[xml] a.xml ")) << "cut at " << size;
  }
}

TEST(VocAnnotation, DamagedIsRefusedOrHarmless) {
  Random random(3);
  int refused = 0;
  for (std::size_t at = 0; at < kGood.size(); ++at) {
    for (const int flip : {0x01, 0x10, 0x80, static_cast<int>(random.below(255)) + 1}) {
      std::string bad = kGood;
      bad[at] = static_cast<char>(bad[at] ^ flip);
      try {
        for (const VocObject& object : read(bad).objects) EXPECT_FALSE(object.name.empty());
      } catch (const FormatError& error) {
        EXPECT_THAT(error.what(), HasSubstr("a.xml"));
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace lastbit
