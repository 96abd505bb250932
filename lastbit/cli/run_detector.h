#pragma once

#include <cstddef>
#include <string>

#include "lastbit/runtime/session.h"

namespace lastbit {

/// `lastbit run` over pictures.
struct PictureRun {
  std::string model;     ///< For error messages.
  std::string pictures;  ///< A JPEG or PNG file, or a folder that holds some.
  std::string out;       ///< PNG file for the picture with its boxes, or a folder; empty: none.
  bool json = false;     ///< A line of JSON a picture in place of text.
  bool strict = false;   ///< The first picture that cannot be read is an error.
  float min_score = 0.5F;
  std::size_t most = 200;  ///< Detections a picture.
  SessionOptions session;
};

/// Prints what a detector finds in each picture, and draws it where asked. Of a folder, pictures
/// that cannot be read are left out and told at the end.
/// @throws InputError for a model that is no detector; a path that is missing; a folder without
///     pictures, or where none can be read; a picture's name as the name to write to.
void run_on_pictures(const Graph& graph, const PictureRun& run);

}  // namespace lastbit
