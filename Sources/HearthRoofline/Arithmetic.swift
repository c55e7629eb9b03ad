/// What a kernel multiplies: machines have a ceiling for each.
public enum Arithmetic: String, Sendable, Codable, CaseIterable {
    case f32
    /// Pairs of bf16 added to f32.
    case bf16
    /// Fours of int8 added to i32.
    case int8
    /// Matrices of f16 added to f32 by a GPU's matrix units.
    case f16Matrix = "f16-matrix"
}
