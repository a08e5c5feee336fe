import Scanout
import Testing

@Suite("The damage of a frame")
struct DamageTests {
  private let picture = Rect(x: 10, y: 10, width: 100, height: 50)
  private let corner = Rect(x: 10, y: 10, width: 4, height: 4)

  @Test func `no damage is nothing, and full damage is the whole picture`() {
    #expect(Damage.nothing.isNothing)
    #expect(!Damage.full.isNothing)
    #expect(!Damage(corner).isNothing)
    #expect(Damage(.empty).isNothing)
    #expect(Damage.nothing.clipped(to: picture).isEmpty)
    #expect(Damage.full.clipped(to: picture).bounds == picture)
    #expect(Damage(Rect(width: 12, height: 12)).clipped(to: picture).bounds == Rect(x: 10, y: 10, width: 2, height: 2))
  }

  @Test func `full damage stays full when merged with any damage`() {
    for other in [Damage.nothing, Damage(corner), .full] {
      var damage = Damage.full
      damage.add(other)
      #expect(damage.clipped(to: picture).bounds == picture)
      damage = other
      damage.add(Damage.full)
      #expect(damage.clipped(to: picture).bounds == picture)
    }
    var damage = Damage.full
    damage.add(corner)
    #expect(damage.clipped(to: picture).bounds == picture)
    #expect(damage.moved(x: 5, y: 5).clipped(to: picture).bounds == picture)
  }

  @Test func `rectangles are added and moved one by one`() {
    var damage = Damage.nothing
    damage.add(corner)
    damage.add(Damage(Rect(x: 40, y: 40, width: 4, height: 4)))
    let region = damage.moved(x: 1, y: 2).clipped(to: picture)
    #expect(region.count == 2)
    #expect(region[0] == Rect(x: 11, y: 12, width: 4, height: 4))
    #expect(region[1] == Rect(x: 41, y: 42, width: 4, height: 4))
  }
}
