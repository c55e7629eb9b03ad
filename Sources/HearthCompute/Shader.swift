/// One compiled compute shader: its SPIR-V and the interface its launcher relies on.
public struct Shader: Sendable {
    public let name: String
    public let bindingCount: Int
    public let pushByteCount: Int
    /// Static memory of the program: never written, never freed.
    package nonisolated(unsafe) let spirv: UnsafeRawBufferPointer

    package init(name: String, bindingCount: Int, pushByteCount: Int, spirv: UnsafeRawBufferPointer) {
        self.name = name
        self.bindingCount = bindingCount
        self.pushByteCount = pushByteCount
        self.spirv = spirv
    }
}
