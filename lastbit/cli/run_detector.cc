#include "lastbit/cli/run_detector.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/data_options.h"
#include "lastbit/cli/detector.h"
#include "lastbit/cli/json_text.h"
#include "lastbit/cli/progress.h"
#include "lastbit/data/draw.h"

namespace lastbit {
namespace {

namespace fs = std::filesystem;

/// A picture and where it goes with its boxes; nowhere if that is empty.
struct Picture {
  fs::path from;
  fs::path to;
};

// The pictures that lie in a folder itself, by name.
std::vector<fs::path> pictures_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    std::error_code ignored;
    const bool picture = has_image_name(entry.path().filename().string());
    if (picture && entry.is_regular_file(ignored)) found.push_back(entry.path());
  }
  if (error) throw InputError(cat("[run] ", folder.string(), ": ", error.message()));
  if (found.empty()) {
    throw InputError(cat("[run] folder ",
                         folder.string(),
                         " holds no picture, expected files that end in .jpg, .jpeg or .png"));
  }
  std::ranges::sort(found);
  return found;
}

// photo.jpg becomes photo.png, or photo.jpg.png where another picture would have that name too.
std::vector<Picture> with_targets(const std::vector<fs::path>& from, const fs::path& folder) {
  std::map<fs::path, int> stems;
  for (const fs::path& path : from) ++stems[path.stem()];
  std::vector<Picture> pictures;
  for (const fs::path& path : from) {
    fs::path name = stems[path.stem()] > 1 ? path.filename() : path.stem();
    pictures.push_back(
        {.from = path, .to = folder.empty() ? fs::path() : folder / (name += ".png")});
  }
  return pictures;
}

std::vector<Picture> list_pictures(const PictureRun& run) {
  std::error_code ignored;
  std::vector<Picture> pictures = {{.from = run.pictures, .to = run.out}};
  if (fs::is_directory(run.pictures, ignored)) {
    pictures = with_targets(pictures_in(run.pictures), run.out);
  }
  for (const Picture& picture : pictures) {
    if (picture.to.empty()) continue;
    if (fs::equivalent(picture.from, picture.to, ignored)) {
      throw InputError(cat("[run] --out would write over ",
                           picture.from.string(),
                           ", expected another name than the picture's"));
    }
  }
  // One name stands for all of a folder: it is there or can be made.
  if (!pictures.front().to.empty()) require_writable(pictures.front().to);
  return pictures;
}

void print_json(const Picture& picture,
                const ImageSize& size,
                std::span<const Detection> detections,
                std::span<const std::string> names) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Detection& one : detections) {
    rows.push_back({{"class", names[static_cast<std::size_t>(one.label)]},
                    {"score", one.score},
                    {"left", one.box.left},
                    {"top", one.box.top},
                    {"right", one.box.right},
                    {"bottom", one.box.bottom}});
  }
  const nlohmann::ordered_json line = {{"file", picture.from.string()},
                                       {"width", size.width},
                                       {"height", size.height},
                                       {"detections", rows}};
  std::cout << json_line(line) << std::flush;
}

void print_text(const Picture& picture,
                const ImageSize& size,
                std::span<const Detection> detections,
                std::span<const std::string> names) {
  std::cout << fmt::format(
      "{}: {} x {}, {} found\n", picture.from.string(), size.width, size.height, detections.size());
  for (const Detection& one : detections) {
    std::cout << fmt::format(
        "  {} {:.1f}% at left {:.0f}, top {:.0f}, right {:.0f}, bottom {:.0f}\n",
        names[static_cast<std::size_t>(one.label)],
        100.0 * one.score,
        one.box.left,
        one.box.top,
        one.box.right,
        one.box.bottom);
  }
}

}  // namespace

void run_on_pictures(const Graph& graph, const PictureRun& run) {
  Detector detector(graph, run.session, run.model);
  const std::vector<Picture> pictures = list_pictures(run);
  const bool alone = pictures.front().from == run.pictures;
  std::vector<std::string> damaged;
  {
    ProgressBar bar(static_cast<std::int64_t>(pictures.size()), "pictures");
    std::int64_t done = 0;
    for (const Picture& picture : pictures) {
      std::optional<Image> image;
      try {
        image = decode_image(MappedFile(picture.from).bytes(), picture.from.string(), 0);
      } catch (const InputError& error) {
        if (alone || run.strict) throw;
        damaged.emplace_back(error.what());
      }
      if (image) {
        const std::vector<Detection> found = detector.detect(*image, run.min_score, run.most);
        const auto print = run.json ? print_json : print_text;
        print(picture, image->size, found, detector.class_names());
        if (!picture.to.empty()) {
          draw_detections(found, detector.class_names(), *image);
          write_file(picture.to, encode_png(*image));
        }
      }
      bar.update(++done, "");
    }
  }
  if (damaged.size() == pictures.size()) {
    throw FormatError(cat(
        "[run] no picture of ", run.pictures, " can be read, the first since: ", damaged.front()));
  }
  report_sentences("skipped", "damaged image", damaged);
  if (run.out.empty() || run.json) return;
  const std::size_t drawn = pictures.size() - damaged.size();
  const std::string count = alone ? "" : cat(" (", drawn, drawn == 1 ? " picture)" : " pictures)");
  std::cout << "wrote " << run.out << count << "\n";
}

}  // namespace lastbit
