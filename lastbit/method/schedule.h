#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lastbit {

/// Where training stands. Everything that changes over a run is a pure function of this, so there
/// is nothing about schedules to save.
struct Progress {
  std::int64_t step = 0;         ///< Optimizer steps done.
  std::int64_t total_steps = 0;  ///< Of the whole run; positive.
  std::int64_t epoch = 0;        ///< Passes over the data done.
  std::int64_t round = 0;        ///< Projections done since `begin`.
  std::int64_t total_rounds = 0;
  std::int64_t round_steps = 1;  ///< Optimizer steps in a round.
  double learning_rate = 0.0;    ///< That of the coming step, or of the last one after a step.
  /// How far a gradient of 1 moves a weight in a step in the long run: the learning rate over
  /// (1 - momentum) for SGD.
  double step_size = 0.0;

  /// Share of the run that is done, in [0, 1].
  double fraction() const noexcept;
  /// The same in rounds: 0 in the first, 1 in the last.
  double round_fraction() const noexcept;
};

/// What a schedule runs over where its text does not say: a learning rate over the steps, with its
/// factor once an epoch; a penalty over the rounds, with its factor once a round.
enum class Over : std::uint8_t { kSteps, kRounds };

/// A positive number that changes over a run, as a learning rate or a penalty does. Text forms:
///
///     0.05                 always
///     0.1..0.001           from the first to the last by equal factors over the run
///     0.1*0.98             times the factor after each epoch (learning rate) or round (penalty)
///     0.1*0.98@round       times the factor after each round; also @epoch, @2epochs, @5rounds,
///                          @30000steps
///     0.1/10@80,120,150    divided by 10 after each of these epochs (learning rate) or rounds
///                          (penalty); numbers below 1 are shares of the run: 0.1/10@0.4,0.6,0.75
///     cosine:0.05          half a cosine from the value down to 0 (Loshchilov and Hutter 2017, no
///                          restarts)
///     FORM,warm:0.05       any of them times a factor that rises evenly to 1 over the first 0.05
///                          of the run (Goyal et al. 2017)
class Schedule {
 public:
  Schedule(double value) noexcept
      : first_(value), last_(value) {}  // NOLINT(google-explicit-constructor)

  /// From `first` to `last` by equal factors; both positive.
  static Schedule geometric(double first, double last) noexcept;

  /// From `first`, positive, down to 0.
  static Schedule cosine(double first) noexcept;

  /// @throws InputError, naming `option`, if the text is not one of the forms or a number is not
  ///     positive and finite.
  static Schedule parse(std::string_view text, std::string_view option);

  double at(const Progress& at, Over over) const noexcept;

  /// Its value at the start of a run.
  double first() const noexcept { return first_; }

  /// A text from which `parse` makes the same schedule.
  std::string text() const;

 private:
  enum class Kind : std::uint8_t { kConstant, kGeometric, kFactor, kDrops, kCosine };

  static Schedule parse_form(std::string_view text,
                             std::string_view whole,
                             std::string_view option);
  double form_at(const Progress& at, Over over) const noexcept;
  std::string form_text() const;
  void read_unit(std::string_view unit, std::string_view whole, std::string_view option);
  void read_drops(std::string_view list, std::string_view whole, std::string_view option);
  std::int64_t drops(const Progress& at, Over over) const noexcept;
  std::int64_t periods(const Progress& at, Over over) const noexcept;
  std::string drops_text() const;
  std::string unit_text() const;

  Kind kind_ = Kind::kConstant;
  double first_;
  double last_;  // the end of kGeometric, the factor of kFactor, the divisor of kDrops
  // kFactor: once every `every_` of these.
  enum class Unit : std::uint8_t { kNatural, kEpochs, kRounds, kSteps };
  Unit unit_ = Unit::kNatural;
  std::int64_t every_ = 1;
  std::vector<double> drops_;  // rising; of kDrops
  double warm_ = 0.0;          // share of the run
};

}  // namespace lastbit
