#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mutation.h"
#include "seeds.h"
#include "target.h"

// A fuzzer of the ONNX reader and the runtime that needs no other tool: mutations of known files,
// drawn from a seed. libfuzzer.cc is the same with a tool that looks at what code is reached.

namespace {

using namespace lastbit;
using namespace lastbit::fuzz;

constexpr const char* kUsage =
    "Usage: lastbit_fuzz [--seconds N] [--seed N] [--current FILE] [FILE or FOLDER]...\n"
    "       lastbit_fuzz --replay FILE...\n"
    "       lastbit_fuzz --write FOLDER\n"
    "\n"
    "Tries mutations of files of its own and of those given, for N seconds (10). With --current,\n"
    "FILE always holds the input that is being tried, and is what to look at after a crash.\n"
    "--replay tries the given files as they are; --write writes the program's own.\n";

constexpr std::size_t kLarge = 200'000;  // bytes

struct Arguments {
  double seconds = 10;
  std::uint64_t seed = 1;
  std::string current;
  std::string write;
  bool replay = false;
  std::vector<std::filesystem::path> paths;
};

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--replay") {
      arguments.replay = true;
    } else if (word.starts_with("--")) {
      if (++i == argc) return false;
      if (word == "--seconds") {
        arguments.seconds = std::atof(argv[i]);
      } else if (word == "--seed") {
        arguments.seed = std::strtoull(argv[i], nullptr, 10);
      } else if (word == "--current") {
        arguments.current = argv[i];
      } else if (word == "--write") {
        arguments.write = argv[i];
      } else {
        return false;
      }
    } else {
      arguments.paths.emplace_back(word);
    }
  }
  return true;
}

std::vector<std::filesystem::path> files_of(const std::vector<std::filesystem::path>& paths) {
  std::set<std::filesystem::path> files;
  for (const auto& path : paths) {
    if (!std::filesystem::is_directory(path)) {
      files.insert(path);
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
      if (entry.is_regular_file() && entry.path().extension() == ".onnx")
        files.insert(entry.path());
    }
  }
  return {files.begin(), files.end()};
}

Outcome try_bytes(const std::string& bytes) {
  // Exactly as large as the input, so that the sanitizer sees what is read beyond it.
  const std::vector<char> exact(bytes.begin(), bytes.end());
  return try_model(std::as_bytes(std::span(exact)));
}

int replay(const Arguments& arguments) {
  for (const auto& path : files_of(arguments.paths)) {
    std::printf("%s\n", path.c_str());
    std::fflush(stdout);
    try_bytes(read_file(path));
  }
  return 0;
}

int try_mutations(const Arguments& arguments) {
  std::vector<std::string> known = seeds();
  const std::size_t own = known.size();
  for (const auto& path : files_of(arguments.paths)) known.push_back(read_file(path));
  std::printf("%zu files of our own, %zu others\n", own, known.size() - own);
  const Mutator mutator(std::move(known));
  const std::size_t files = mutator.seeds();

  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  std::uint64_t counts[3] = {};
  std::uint64_t tried = 0;
  double seconds = 0.0;
  double slowest = 0.0;
  for (; seconds < arguments.seconds; ++tried) {
    Random random(arguments.seed, tried);
    std::size_t file = random.below(2) == 0 ? random.below(own) : random.below(files);
    // Large files take long, and most of their changes meet weights.
    if (mutator.size_of(file) > kLarge && random.below(16) != 0) file = random.below(own);
    const std::string bytes = mutator.mutated(file, random);
    if (!arguments.current.empty()) write_bytes(arguments.current, bytes);
    ++counts[static_cast<std::size_t>(try_bytes(bytes))];
    const double now = std::chrono::duration<double>(Clock::now() - start).count();
    if (now - seconds > slowest) {
      slowest = now - seconds;
      if (!arguments.current.empty() && slowest > 1.0)
        write_bytes(arguments.current + ".slow", bytes);
    }
    seconds = now;
    if (tried % 4096 == 4095) {
      std::printf("%llu inputs in %.0f s\n", static_cast<unsigned long long>(tried + 1), seconds);
      std::fflush(stdout);
    }
  }
  std::printf(
      "%llu inputs in %.0f s, %.0f a second, the slowest %.2f s: %llu refused, %llu loaded, "
      "%llu ran\n",
      static_cast<unsigned long long>(tried),
      seconds,
      static_cast<double>(tried) / seconds,
      slowest,
      static_cast<unsigned long long>(counts[0]),
      static_cast<unsigned long long>(counts[1]),
      static_cast<unsigned long long>(counts[2]));
  return counts[0] > 0 && counts[2] > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  if (!arguments.write.empty()) {
    std::filesystem::create_directories(arguments.write);
    std::size_t number = 0;
    for (const std::string& bytes : seeds()) {
      write_bytes(std::filesystem::path(arguments.write) / (std::to_string(number++) + ".onnx"),
                  bytes);
    }
    return 0;
  }
  return arguments.replay ? replay(arguments) : try_mutations(arguments);
}
