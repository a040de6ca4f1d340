// The run so far as rows of numbers, one a picture, thinned to equal gaps in step; the curves and the time line draw them.

export function makeRun() {
  const KEPT = 800;
  let rows = [], known = null, gap = 0;
  return {
    rows: () => rows,
    // Columns are named by the scene: step, loss, penalty, validation, alpha, norm, rho, live.
    remember(scene, frame) {
      if (known !== scene) {
        const width = scene.curves.columns.length, past = scene.arrays["curves.past"];
        rows = Array.from({ length: past.length / width }, (_, k) => [...past.slice(width * k, width * (k + 1))]);
        known = scene;
        gap = 0;
      }
      const { now, last } = frame.curves;
      if (rows.length && rows[rows.length - 1][0] > last) rows = rows.filter((row) => row[0] <= last); // the run branched off
      if (rows.length && now[0] < rows[rows.length - 1][0]) return; // a look back: the run itself is as it was
      const newest = rows[rows.length - 1];
      if (newest && now.every((v, i) => v === newest[i])) return;
      // the newest stands for all at its step, and for those too close to the one before to stay
      if (newest && (newest[0] === now[0] || (rows.length > 1 && newest[0] - rows[rows.length - 2][0] < gap))) rows.pop();
      rows.push(now);
      if (rows.length > KEPT) {
        rows = rows.filter((_, k) => k % 2 === 0 || k === rows.length - 1);
        gap = 2 * (now[0] - rows[0][0]) / KEPT;
      }
    },
  };
}
