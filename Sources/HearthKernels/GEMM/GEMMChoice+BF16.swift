import CKernels
import Foundation
import HearthCompute
import Synchronization

/// How bf16 by bf16 is multiplied where a processor has bf16 dot products: by those, or widened to f32, as elsewhere. Their bits
/// differ, so one choice holds for the machine, whatever the threads or the shape: measured on one thread (`hearth probe`), kept in
/// the cache folder; without it the dot products.
extension GEMMChoice {
    public struct BF16Measurement: Sendable, Codable {
        public let measuredAt, dotSeconds, widenedSeconds: Double

        package init(measuredAt: Double, dotSeconds: Double, widenedSeconds: Double) {
            (self.measuredAt, self.dotSeconds, self.widenedSeconds) = (measuredAt, dotSeconds, widenedSeconds)
        }

        package var isDotted: Bool { widenedSeconds > GEMMChoice.margin * dotSeconds }
    }

    /// What tests and the probe decide in its place.
    package static let forcedDots = Mutex<Bool?>(nil)

    private static let measuredDots = loadBF16()?.isDotted ?? true

    /// Whether bf16 by bf16 goes through dot products of bf16.
    static var dotsBF16: Bool { ck_bf16_dot_available() && (forcedDots.withLock { $0 } ?? measuredDots) }

    package static var hasBF16Dots: Bool { ck_bf16_dot_available() }

    /// nil when this machine was never measured, or the file cannot be read.
    public static func loadBF16() -> BF16Measurement? {
        (try? Data(contentsOf: file("bf16-v2"))).flatMap { try? JSONDecoder().decode(BF16Measurement.self, from: $0) }
    }

    package static func save(_ measurement: BF16Measurement) throws {
        try save(measurement, file("bf16-v2"))
    }
}
