#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

// What the contestants of run.py have in common: how they are called, and the commands they take.
//
//   PROGRAM [OWN ARGUMENTS] MODEL THREADS INPUT SIZES OUTPUT COUNT
//
// INPUT and OUTPUT are names, SIZES is as 1,3,224,224, COUNT the output's number of values. One
// line of JSON is printed when the model is loaded, and one for each line that is read:
//   time SECONDS     runs for that long: median and number of runs
//   run FILE FILE    reads float32 inputs from the first file, writes the outputs to the second

namespace lastbit::peers {

struct Call {
  std::string model;
  int threads = 1;
  std::string input;
  std::vector<std::int64_t> sizes;
  std::string output;
  std::size_t count = 0;

  std::size_t input_count() const {
    std::size_t result = 1;
    for (const std::int64_t size : sizes) result *= static_cast<std::size_t>(size);
    return result;
  }
};

/// A model that is loaded.
class Model {
 public:
  virtual ~Model() = default;
  virtual std::span<float> input() = 0;
  virtual void run() = 0;
  /// Of the last run.
  virtual std::span<const float> output() = 0;
};

using Clock = std::chrono::steady_clock;

inline double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

inline Call parse_call(std::span<char* const> words) {
  if (words.size() != 6) {
    throw std::runtime_error("expected MODEL THREADS INPUT SIZES OUTPUT COUNT");
  }
  Call call{.model = words[0],
            .threads = std::stoi(words[1]),
            .input = words[2],
            .sizes = {},
            .output = words[4],
            .count = std::stoul(words[5])};
  std::istringstream sizes(words[3]);
  for (std::string size; std::getline(sizes, size, ',');) call.sizes.push_back(std::stoll(size));
  return call;
}

inline void time_runs(Model& model, double seconds) {
  std::vector<double> times;
  const auto start = Clock::now();
  do {
    const auto before = Clock::now();
    model.run();
    const double ms = milliseconds_since(before);
    if (milliseconds_since(start) > 100.0 * seconds) times.push_back(ms);  // a tenth warms up
  } while (milliseconds_since(start) < 1000.0 * seconds || times.empty());
  std::sort(times.begin(), times.end());
  std::cout << "{\"median_ms\": " << times[times.size() / 2] << ", \"runs\": " << times.size()
            << "}" << std::endl;
}

inline void run_files(Model& model, const std::string& from, const std::string& to) {
  std::ifstream in(from, std::ios::binary);
  in.read(reinterpret_cast<char*>(model.input().data()),
          static_cast<std::streamsize>(model.input().size_bytes()));
  if (!in) throw std::runtime_error("cannot read the inputs from " + from);
  model.run();
  const std::span<const float> result = model.output();
  std::ofstream out(to, std::ios::binary);
  out.write(reinterpret_cast<const char*>(result.data()),
            static_cast<std::streamsize>(result.size_bytes()));
  if (!out.flush()) throw std::runtime_error("cannot write the outputs to " + to);
  std::cout << "{\"written\": " << result.size() << "}" << std::endl;
}

/// Loads a model with `load` and serves commands until its standard input ends.
/// @return the program's exit code.
template <typename Load>
int serve(const char* program, Load load) try {
  const auto start = Clock::now();
  const auto model = load();
  const std::span<float> input = model->input();
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(i % 97) / 97.0F;
  std::cout << "{\"load_ms\": " << milliseconds_since(start) << "}" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    std::string first;
    std::string second;
    words >> command >> first >> second;
    if (command == "time") {
      time_runs(*model, std::stod(first));
    } else if (command == "run") {
      run_files(*model, first, second);
    } else {
      throw std::runtime_error("unknown command '" + line + "'");
    }
  }
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  std::cerr << program << ": " << error.what() << std::endl;
  return EXIT_FAILURE;
}

}  // namespace lastbit::peers
