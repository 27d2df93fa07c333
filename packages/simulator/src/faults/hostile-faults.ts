/** Faults by which a component breaks the protocol with its parent. */
import type { Random } from '../order/random.ts';
import { HOSTILE_PLACES, HOSTILE_WAYS } from '../world/hostility.ts';
import type { Simulation } from '../world/simulation.ts';
import type { PlannedHostility } from './fault-plan.ts';

/**
 * Gives the components with a label a hostile act. The result describes it; `done` is called when
 * it has happened.
 */
export function turnHostile(
  fault: PlannedHostility,
  label: string,
  { platform }: Pick<Simulation, 'platform'>,
  random: Random,
  done: (what: string, kind: string) => void,
): string | undefined {
  const { role, step } = fault;
  const places = HOSTILE_PLACES.filter(
    (place) => place.role === (role ?? place.role) && place.step === (step ?? place.step),
  );
  const place = random.pick(places);
  const way = fault.way ?? random.pick(HOSTILE_WAYS);
  const name = `its next "${place.step}" as a ${place.role}`;
  platform.hostilityOf(label).befall({
    ...place,
    way,
    lateUs: random.below(fault.ms * 1000),
    random,
    done: (what) =>
      done(`[${label}] does ${place.step} as a ${place.role} ${what}`, `${place.role} ${place.step} ${way}`),
  });
  return `[${label}] will do ${name} ${way === 'wrong' ? 'wrongly' : way}`;
}
