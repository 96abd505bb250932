#include "lastbit/data/strokes.h"

#include <array>
#include <cstddef>

namespace lastbit {
namespace {

// One row a stroke, in the order in which a hand draws it; `kTurn` marks a corner.
constexpr bool kTurn = true;

// 0: closed, with a tail that crosses the start, and narrow.
constexpr PenPoint kZeroRound[] = {{.52F, .10F},
                                   {.32F, .20F},
                                   {.22F, .48F},
                                   {.30F, .78F},
                                   {.50F, .90F},
                                   {.70F, .78F},
                                   {.78F, .50F},
                                   {.70F, .22F},
                                   {.52F, .10F}};
constexpr PenPoint kZeroTail[] = {{.62F, .16F},
                                  {.44F, .12F},
                                  {.26F, .32F},
                                  {.25F, .66F},
                                  {.44F, .90F},
                                  {.68F, .80F},
                                  {.76F, .50F},
                                  {.68F, .22F},
                                  {.48F, .08F}};
constexpr PenPoint kZeroNarrow[] = {{.50F, .08F},
                                    {.34F, .22F},
                                    {.28F, .50F},
                                    {.34F, .78F},
                                    {.50F, .92F},
                                    {.66F, .78F},
                                    {.72F, .50F},
                                    {.66F, .22F},
                                    {.50F, .08F}};

// 1: a bare stem, with a flag, with flag and foot.
constexpr PenPoint kOneStem[] = {{.50F, .10F}, {.50F, .90F}};
constexpr PenPoint kOneFlag[] = {{.36F, .35F}, {.54F, .10F, kTurn}, {.54F, .90F}};
constexpr PenPoint kOneFoot[] = {{.34F, .90F}, {.72F, .90F}};

// 2: with an angle, a loop or a wave at the foot.
constexpr PenPoint kTwoAngle[] = {{.24F, .30F},
                                  {.34F, .14F},
                                  {.54F, .10F},
                                  {.72F, .22F},
                                  {.70F, .40F},
                                  {.50F, .63F},
                                  {.23F, .89F, kTurn},
                                  {.78F, .89F}};
constexpr PenPoint kTwoLoop[] = {{.26F, .24F},
                                 {.42F, .10F},
                                 {.66F, .16F},
                                 {.70F, .36F},
                                 {.54F, .64F},
                                 {.34F, .87F},
                                 {.20F, .84F},
                                 {.27F, .72F},
                                 {.48F, .82F},
                                 {.64F, .90F},
                                 {.82F, .82F}};
constexpr PenPoint kTwoWave[] = {{.26F, .18F},
                                 {.48F, .09F},
                                 {.70F, .18F},
                                 {.66F, .42F},
                                 {.42F, .68F},
                                 {.22F, .86F, kTurn},
                                 {.42F, .82F},
                                 {.60F, .90F},
                                 {.80F, .82F}};

// 3: round, flat at the top, and round without a corner in the middle.
constexpr PenPoint kThreeRound[] = {{.25F, .20F},
                                    {.42F, .10F},
                                    {.64F, .14F},
                                    {.70F, .30F},
                                    {.60F, .43F},
                                    {.42F, .48F, kTurn},
                                    {.64F, .53F},
                                    {.76F, .69F},
                                    {.66F, .85F},
                                    {.44F, .90F},
                                    {.23F, .80F}};
constexpr PenPoint kThreeFlat[] = {{.26F, .12F},
                                   {.72F, .12F, kTurn},
                                   {.45F, .42F, kTurn},
                                   {.68F, .50F},
                                   {.76F, .68F},
                                   {.64F, .86F},
                                   {.42F, .90F},
                                   {.23F, .80F}};
constexpr PenPoint kThreeSoft[] = {{.28F, .16F},
                                   {.52F, .09F},
                                   {.69F, .22F},
                                   {.58F, .40F},
                                   {.48F, .47F},
                                   {.62F, .53F},
                                   {.74F, .70F},
                                   {.60F, .88F},
                                   {.36F, .90F},
                                   {.22F, .80F}};

// 4: closed, open with an angle, open with a bow.
constexpr PenPoint kFourClosed[] = {{.62F, .10F}, {.20F, .62F, kTurn}, {.82F, .62F}};
constexpr PenPoint kFourClosedStem[] = {{.62F, .10F}, {.62F, .90F}};
constexpr PenPoint kFourOpen[] = {{.32F, .10F}, {.22F, .54F, kTurn}, {.80F, .54F}};
constexpr PenPoint kFourOpenStem[] = {{.68F, .14F}, {.62F, .90F}};
constexpr PenPoint kFourBow[] = {
    {.25F, .10F}, {.23F, .36F}, {.32F, .52F}, {.52F, .53F}, {.70F, .46F}};
constexpr PenPoint kFourBowStem[] = {{.74F, .10F}, {.70F, .46F}, {.68F, .90F}};

// 5: in one stroke, with the bar apart, and curved.
constexpr PenPoint kFiveOne[] = {{.72F, .12F},
                                 {.34F, .12F, kTurn},
                                 {.30F, .45F, kTurn},
                                 {.52F, .39F},
                                 {.72F, .50F},
                                 {.74F, .70F},
                                 {.58F, .88F},
                                 {.36F, .90F},
                                 {.22F, .80F}};
constexpr PenPoint kFiveBody[] = {{.34F, .13F},
                                  {.32F, .46F, kTurn},
                                  {.54F, .42F},
                                  {.72F, .55F},
                                  {.70F, .76F},
                                  {.52F, .90F},
                                  {.24F, .85F}};
constexpr PenPoint kFiveBar[] = {{.35F, .12F}, {.76F, .10F}};
constexpr PenPoint kFiveCurved[] = {{.74F, .10F},
                                    {.52F, .13F},
                                    {.36F, .15F, kTurn},
                                    {.28F, .42F},
                                    {.46F, .44F},
                                    {.66F, .52F},
                                    {.72F, .70F},
                                    {.58F, .87F},
                                    {.24F, .88F}};

// 6: bowed, straight, with a wide loop.
constexpr PenPoint kSixBowed[] = {{.68F, .12F},
                                  {.46F, .22F},
                                  {.30F, .46F},
                                  {.25F, .70F},
                                  {.38F, .89F},
                                  {.60F, .88F},
                                  {.72F, .70F},
                                  {.60F, .54F},
                                  {.42F, .56F},
                                  {.28F, .70F}};
constexpr PenPoint kSixStraight[] = {{.46F, .08F},
                                     {.32F, .42F},
                                     {.26F, .70F},
                                     {.36F, .88F},
                                     {.56F, .90F},
                                     {.69F, .74F},
                                     {.60F, .58F},
                                     {.42F, .58F},
                                     {.28F, .72F}};
constexpr PenPoint kSixWide[] = {{.60F, .10F},
                                 {.38F, .26F},
                                 {.24F, .54F},
                                 {.28F, .80F},
                                 {.48F, .91F},
                                 {.70F, .84F},
                                 {.76F, .66F},
                                 {.64F, .50F},
                                 {.44F, .50F},
                                 {.27F, .64F}};

// 7: plain, with a bar through the stem, with a serif.
constexpr PenPoint kSevenPlain[] = {{.22F, .14F}, {.77F, .13F, kTurn}, {.58F, .46F}, {.44F, .90F}};
constexpr PenPoint kSevenBar[] = {{.36F, .52F}, {.72F, .50F}};
constexpr PenPoint kSevenSerif[] = {
    {.22F, .27F}, {.24F, .12F, kTurn}, {.78F, .12F, kTurn}, {.42F, .90F}};

// 8: in one stroke, of two rings, and in one stroke with open ends.
constexpr PenPoint kEightOne[] = {{.66F, .22F},
                                  {.50F, .10F},
                                  {.32F, .22F},
                                  {.38F, .39F},
                                  {.52F, .48F},
                                  {.68F, .62F},
                                  {.68F, .80F},
                                  {.50F, .91F},
                                  {.31F, .80F},
                                  {.33F, .62F},
                                  {.48F, .49F},
                                  {.62F, .38F},
                                  {.66F, .22F}};
constexpr PenPoint kEightUpper[] = {{.50F, .48F},
                                    {.34F, .40F},
                                    {.33F, .20F},
                                    {.50F, .10F},
                                    {.67F, .20F},
                                    {.66F, .40F},
                                    {.50F, .48F}};
constexpr PenPoint kEightLower[] = {{.50F, .48F},
                                    {.30F, .58F},
                                    {.27F, .78F},
                                    {.50F, .91F},
                                    {.73F, .78F},
                                    {.70F, .58F},
                                    {.50F, .48F}};
constexpr PenPoint kEightOpen[] = {{.72F, .17F},
                                   {.52F, .09F},
                                   {.34F, .20F},
                                   {.40F, .38F},
                                   {.60F, .56F},
                                   {.70F, .74F},
                                   {.54F, .91F},
                                   {.34F, .82F},
                                   {.34F, .64F},
                                   {.52F, .46F},
                                   {.74F, .19F}};

// 9: straight stem, curved tail, and bent stem.
constexpr PenPoint kNineStraight[] = {{.70F, .26F},
                                      {.54F, .11F},
                                      {.34F, .18F},
                                      {.27F, .36F},
                                      {.40F, .50F},
                                      {.58F, .45F},
                                      {.70F, .26F, kTurn},
                                      {.68F, .56F},
                                      {.64F, .90F}};
constexpr PenPoint kNineTail[] = {{.70F, .28F},
                                  {.52F, .10F},
                                  {.32F, .18F},
                                  {.28F, .38F},
                                  {.44F, .50F},
                                  {.62F, .42F},
                                  {.71F, .24F, kTurn},
                                  {.73F, .58F},
                                  {.62F, .84F},
                                  {.44F, .91F},
                                  {.28F, .82F}};
constexpr PenPoint kNineBent[] = {{.68F, .20F},
                                  {.48F, .10F},
                                  {.30F, .24F},
                                  {.32F, .44F},
                                  {.50F, .48F},
                                  {.66F, .36F},
                                  {.69F, .19F, kTurn},
                                  {.66F, .50F},
                                  {.46F, .90F}};

constexpr Stroke kZeroA[] = {kZeroRound};
constexpr Stroke kZeroB[] = {kZeroTail};
constexpr Stroke kZeroC[] = {kZeroNarrow};
constexpr Stroke kOneA[] = {kOneStem};
constexpr Stroke kOneB[] = {kOneFlag};
constexpr Stroke kOneC[] = {kOneFlag, kOneFoot};
constexpr Stroke kTwoA[] = {kTwoAngle};
constexpr Stroke kTwoB[] = {kTwoLoop};
constexpr Stroke kTwoC[] = {kTwoWave};
constexpr Stroke kThreeA[] = {kThreeRound};
constexpr Stroke kThreeB[] = {kThreeFlat};
constexpr Stroke kThreeC[] = {kThreeSoft};
constexpr Stroke kFourA[] = {kFourClosed, kFourClosedStem};
constexpr Stroke kFourB[] = {kFourOpen, kFourOpenStem};
constexpr Stroke kFourC[] = {kFourBow, kFourBowStem};
constexpr Stroke kFiveA[] = {kFiveOne};
constexpr Stroke kFiveB[] = {kFiveBody, kFiveBar};
constexpr Stroke kFiveC[] = {kFiveCurved};
constexpr Stroke kSixA[] = {kSixBowed};
constexpr Stroke kSixB[] = {kSixStraight};
constexpr Stroke kSixC[] = {kSixWide};
constexpr Stroke kSevenA[] = {kSevenPlain};
constexpr Stroke kSevenB[] = {kSevenPlain, kSevenBar};
constexpr Stroke kSevenC[] = {kSevenSerif};
constexpr Stroke kEightA[] = {kEightOne};
constexpr Stroke kEightB[] = {kEightUpper, kEightLower};
constexpr Stroke kEightC[] = {kEightOpen};
constexpr Stroke kNineA[] = {kNineStraight};
constexpr Stroke kNineB[] = {kNineTail};
constexpr Stroke kNineC[] = {kNineBent};

constexpr std::array<std::array<Glyph, 3>, 10> kGlyphs = {{
    {{{kZeroA}, {kZeroB}, {kZeroC}}},
    {{{kOneA}, {kOneB}, {kOneC}}},
    {{{kTwoA}, {kTwoB}, {kTwoC}}},
    {{{kThreeA}, {kThreeB}, {kThreeC}}},
    {{{kFourA}, {kFourB}, {kFourC}}},
    {{{kFiveA}, {kFiveB}, {kFiveC}}},
    {{{kSixA}, {kSixB}, {kSixC}}},
    {{{kSevenA}, {kSevenB}, {kSevenC}}},
    {{{kEightA}, {kEightB}, {kEightC}}},
    {{{kNineA}, {kNineB}, {kNineC}}},
}};

}  // namespace

std::span<const Glyph> glyphs(int digit) noexcept {
  return kGlyphs[static_cast<std::size_t>(digit)];
}

}  // namespace lastbit
