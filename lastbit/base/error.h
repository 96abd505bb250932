#pragma once

#include <stdexcept>

namespace lastbit {

/// Root of everything this project throws on purpose. `what()` is one sentence for a person: the
/// place in brackets, what is wrong, what was expected and what was found.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The caller's mistake: an option, a name, a file, a place that cannot be written. Programs
/// exit 2.
class InputError : public Error {
 public:
  using Error::Error;
};

/// Bytes of a file that do not follow its format. Programs exit 2.
class FormatError : public InputError {
 public:
  using InputError::InputError;
};

/// The input was right and the work failed all the same, as when a loss diverges. Programs exit 1.
class WorkError : public Error {
 public:
  using Error::Error;
};

}  // namespace lastbit
