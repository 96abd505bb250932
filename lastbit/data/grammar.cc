#include "lastbit/data/grammar.h"

#include <array>
#include <cmath>
#include <span>
#include <string_view>
#include <utility>

#include "lastbit/base/random.h"

namespace lastbit {
namespace {

// A word and its form for several.
struct Forms {
  std::string_view one;
  std::string_view many;
};

// No word is in two lists, so a sentence can be made in one way alone and its probability is the
// product of those of the choices.
constexpr std::array<Forms, 4> kDeterminers = {
    {{"the", "the"}, {"a", "two"}, {"this", "these"}, {"every", "many"}}};
constexpr std::array<std::string_view, 12> kAdjectives = {"small",
                                                          "red",
                                                          "quiet",
                                                          "young",
                                                          "tired",
                                                          "brown",
                                                          "happy",
                                                          "lazy",
                                                          "tall",
                                                          "clever",
                                                          "wet",
                                                          "proud"};
constexpr std::array<Forms, 20> kNouns = {{{"dog", "dogs"},
                                           {"cat", "cats"},
                                           {"child", "children"},
                                           {"farmer", "farmers"},
                                           {"bird", "birds"},
                                           {"horse", "horses"},
                                           {"teacher", "teachers"},
                                           {"fox", "foxes"},
                                           {"woman", "women"},
                                           {"sailor", "sailors"},
                                           {"mouse", "mice"},
                                           {"doctor", "doctors"},
                                           {"goose", "geese"},
                                           {"king", "kings"},
                                           {"baker", "bakers"},
                                           {"wolf", "wolves"},
                                           {"neighbour", "neighbours"},
                                           {"painter", "painters"},
                                           {"friend", "friends"},
                                           {"guest", "guests"}}};
constexpr std::array<Forms, 12> kTransitive = {{{"sees", "see"},
                                                {"likes", "like"},
                                                {"follows", "follow"},
                                                {"calls", "call"},
                                                {"helps", "help"},
                                                {"hears", "hear"},
                                                {"knows", "know"},
                                                {"watches", "watch"},
                                                {"finds", "find"},
                                                {"greets", "greet"},
                                                {"chases", "chase"},
                                                {"fears", "fear"}}};
constexpr std::array<Forms, 10> kIntransitive = {{{"sleeps", "sleep"},
                                                  {"runs", "run"},
                                                  {"waits", "wait"},
                                                  {"sings", "sing"},
                                                  {"laughs", "laugh"},
                                                  {"comes", "come"},
                                                  {"rests", "rest"},
                                                  {"swims", "swim"},
                                                  {"dances", "dance"},
                                                  {"cries", "cry"}}};
constexpr std::array<std::string_view, 8> kAdverbs = {
    "often", "again", "here", "today", "slowly", "outside", "alone", "tonight"};

class Writer {
 public:
  Writer(std::uint64_t seed, GrammarPart part) : random_(seed, static_cast<std::uint64_t>(part)) {}

  void sentence() {
    const bool many = maybe(2);
    noun_phrase(many);
    if (maybe(5)) {
      word("that");
      const bool others = maybe(2);
      noun_phrase(others);
      word(form(kTransitive, others));
    } else if (maybe(5)) {
      word("near");
      noun_phrase(maybe(2));
    }
    if (maybe(2)) {
      word(form(kTransitive, many));
      noun_phrase(maybe(2));
    } else {
      word(form(kIntransitive, many));
      if (maybe(2)) word(kAdverbs[ranked(kAdverbs.size())]);
    }
    text_.text.back() = '\n';
  }

  GrammarText finish() { return std::move(text_); }

 private:
  void noun_phrase(bool many) {
    word(form(kDeterminers, many));
    if (maybe(3)) word(kAdjectives[ranked(kAdjectives.size())]);
    word(form(kNouns, many));
  }

  void word(std::string_view word) {
    text_.text += word;
    text_.text += ' ';
  }

  // True once in `n` times.
  bool maybe(std::uint64_t n) {
    const bool yes = random_.below(n) == 0;
    const auto count = static_cast<double>(n);
    text_.nats -= std::log((yes ? 1.0 : count - 1.0) / count);
    return yes;
  }

  // 0, ..., size - 1, each as likely as 1 / (3 + its value): few words are frequent and many rare.
  std::size_t ranked(std::size_t size) {
    constexpr std::uint64_t kShares = 1U << 20U;
    const auto share = [](std::size_t i) { return kShares / (3 + i); };
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < size; ++i) all += share(i);
    std::uint64_t left = random_.below(all);
    std::size_t chosen = 0;
    while (left >= share(chosen)) left -= share(chosen++);
    text_.nats -= std::log(static_cast<double>(share(chosen)) / static_cast<double>(all));
    return chosen;
  }

  std::string_view form(std::span<const Forms> words, bool many) {
    const Forms& forms = words[ranked(words.size())];
    return many ? forms.many : forms.one;
  }

  Random random_;
  GrammarText text_;
};

}  // namespace

GrammarText generate_sentences(std::uint64_t seed, GrammarPart part, std::int64_t count) {
  Writer writer(seed, part);
  for (std::int64_t i = 0; i < count; ++i) writer.sentence();
  return writer.finish();
}

}  // namespace lastbit
