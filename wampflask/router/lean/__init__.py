"""A folder for the path of Crossbar's processes; not imported by wampflask."""
